import { describe, expect, test } from 'vitest';
import { DeadlineEstimator } from '../../src/coordinator/dispatch/deadline.js';
import { Strikes } from '../../src/coordinator/dispatch/strikes.js';
import { KeyedRandom } from '../../src/data/random.js';
import { verifiedLeaves } from '../../src/schedule/verified-leaves.js';

describe('a deadline', () => {
  test('is the longest before anything was measured', () => {
    expect(new DeadlineEstimator().secondsFor(2)).toBe(120);
  });

  test('is four times what nearly all took, for each microbatch', () => {
    const deadlines = new DeadlineEstimator();
    for (let i = 0; i < 19; i++) deadlines.observe(2);
    deadlines.observe(50);
    expect(deadlines.secondsFor(3)).toBe(24);
  });

  test('is never below a second, never above a minute a microbatch, and forgets', () => {
    const deadlines = new DeadlineEstimator();
    deadlines.observe(1000);
    expect(deadlines.secondsFor(1)).toBe(60);
    for (let i = 0; i < 64; i++) deadlines.observe(0.001);
    expect(deadlines.secondsFor(4)).toBe(1);
  });
});

test('a worker is set aside for many missed deadlines in a short time only', () => {
  const strikes = new Strikes<object>();
  const [often, rarely] = [{}, {}];
  const misses = Array.from({ length: 9 }, (_, i) => i);
  expect(misses.map((i) => strikes.count(often, i))).toEqual([...Array(8).fill(false), true]);
  expect(misses.some((i) => strikes.count(rarely, i * 100))).toBe(false);
});

test('what is verified is a keyed choice at the given rate', () => {
  const leaves = [...Array(8).keys()];
  const chosen = (rate: number, seed = 1) =>
    [...Array(1000).keys()].flatMap((step) =>
      verifiedLeaves(new KeyedRandom(seed), rate, { iteration: 0, epoch: 0, step }, leaves, 8),
    );
  expect(chosen(0)).toEqual([]);
  expect(chosen(1)).toHaveLength(8000);
  expect(Math.abs(chosen(0.1).length - 800)).toBeLessThan(120);
  expect(chosen(0.1)).toEqual(chosen(0.1));
  expect(chosen(0.1, 2)).not.toEqual(chosen(0.1));
});
