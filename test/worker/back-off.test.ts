import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryDelayMs } from '../../src/worker/back-off.js';

test.each([
  ['a tenth of a second', 9_999, [25, 50, 50, 50, 50, 50, 50]],
  ['a second', 10_000, [25, 50, 100, 200, 400, 500, 500]],
])('each failed attempt doubles the wait, up to %s', (_, awayMs, expected) => {
  expect([1, 2, 3, 4, 5, 6, 7].map((attempts) => retryDelayMs(attempts, awayMs, 0))).toEqual(expected);
});

test('after five minutes the wait may grow to ten seconds', () => {
  expect(retryDelayMs(400, 299_999, 0)).toBe(500);
  expect(retryDelayMs(400, 300_000, 0)).toBe(5_000);
});

test('every wait is bounded, and at least half of its bound', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, awayMs, random) => {
        const least = retryDelayMs(attempts, awayMs, 0);
        const wait = retryDelayMs(attempts, awayMs, random);
        expect(wait).toBeGreaterThanOrEqual(least);
        // Not below: the largest number below 1 may round up to it.
        expect(wait).toBeLessThanOrEqual(2 * least);
        const most = awayMs < 10_000 ? 100 : awayMs < 300_000 ? 1_000 : 10_000;
        expect(wait).toBeLessThanOrEqual(most);
      },
    ),
  );
});
