import { expect, test } from 'vitest';
import { cutRanges } from '../../src/coordinator/exchange/ranges.js';

test.each([
  [10, 1, [[0, 10]]],
  [
    10,
    3,
    [
      [0, 3],
      [3, 6],
      [6, 10],
    ],
  ],
  [
    2,
    4,
    [
      [0, 1],
      [1, 2],
    ],
  ],
  [0, 2, []],
])('%d elements in %d ranges', (length, count, expected) => {
  expect(cutRanges(length, count).map(({ start, end }) => [start, end])).toEqual(expected);
});
