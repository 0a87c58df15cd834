import { expect, test } from 'vitest';
import { atMost, type Clock } from '../../src/clock.js';

/** A clock whose only timer goes off when the test says so. */
function handClock() {
  const timers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => 0,
    date: () => new Date(0),
    after: (_ms, action) => {
      timers.add(action);
      return () => timers.delete(action);
    },
    every: () => () => {},
  };
  return { clock, timers };
}

test.each([
  ['succeeds', () => Promise.resolve('done')],
  ['fails', () => Promise.reject(new Error('failed'))],
])('work that %s in time leaves no timer behind', async (_how, work) => {
  const { clock, timers } = handClock();
  await atMost(clock, 1_000, work());
  expect(timers.size).toBe(0);
});

test('work that never ends is waited for until the timer goes off', async () => {
  const { clock, timers } = handClock();
  let hasEnded = false;
  const waiting = atMost(clock, 1_000, new Promise(() => {})).then(() => {
    hasEnded = true;
  });
  await Promise.resolve();
  expect(hasEnded).toBe(false);
  for (const goOff of timers) goOff();
  await waiting;
});
