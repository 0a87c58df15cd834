import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atMost, systemClock, whileAwake } from '../../src/clock.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ['succeeds', () => Promise.resolve('done')],
  ['fails', () => Promise.reject(new Error('failed'))],
])('work that %s in time leaves no timer behind', async (_how, work) => {
  await atMost(1_000, work());
  expect(vi.getTimerCount()).toBe(0);
});

test('work that never ends is waited for until its time is over', async () => {
  let hasEnded = false;
  const waiting = atMost(1_000, new Promise(() => {})).then(() => {
    hasEnded = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(hasEnded).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
});

test('time for which the thread is held up does not count', async () => {
  vi.useRealTimers();
  let called = false;
  const cancel = whileAwake(systemClock, 50, () => {
    called = true;
  });
  const end = performance.now() + 100;
  while (performance.now() < end);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(called).toBe(false);
  await vi.waitFor(() => expect(called).toBe(true));
  cancel();
});
