import { expect, test } from 'vitest';
import { RateMeter } from '../../src/console/rate.js';

test('nothing is known from one count', () => {
  const meter = new RateMeter();
  expect(meter.perSecond).toBe(0);
  meter.record(0, 0);
  expect(meter.perSecond).toBe(0);
  expect(meter.secondsUntil(10)).toBeNull();
});

test('the rate follows the last window only', () => {
  const meter = new RateMeter(10_000);
  for (let second = 0; second <= 100; second++) {
    meter.record(second <= 50 ? second : 50 + (second - 50) * 4, second * 1000);
  }
  expect(meter.perSecond).toBe(4);
  expect(meter.secondsUntil(290)).toBe(10);
});

test('work beyond the total leaves no time', () => {
  const meter = new RateMeter();
  meter.record(0, 0);
  meter.record(20, 1000);
  expect(meter.secondsUntil(10)).toBe(0);
});
