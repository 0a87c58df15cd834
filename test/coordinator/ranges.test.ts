import { expect, test } from 'vitest';
import { cutRanges, rangesOfBlocks, rangesOfOwners } from '../../src/coordinator/exchange/ranges.js';

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

test.each([
  ['a short vector', 1_000, 3, 3],
  ['a usual one', 11_200_000, 4, 88],
  ['a long one', 1_000_000_000, 2, 128],
])('%s has as many ranges for each owner, in turns', (_, length, owners, count) => {
  const ranges = rangesOfOwners(length, owners);
  expect(ranges).toHaveLength(count);
  expect(ranges.map(({ owner }) => owner)).toEqual(ranges.map((_, place) => place % owners));
  expect(ranges.at(-1)!.range.end).toBe(length);
});

test('ranges of blocks have whole blocks, all of them once', () => {
  const blocks = [10, 13, 20, 21, 40];
  expect(rangesOfBlocks(blocks, 2)).toEqual([
    { start: 10, end: 21 },
    { start: 21, end: 40 },
  ]);
  for (const most of [1, 3, 100]) {
    const ranges = rangesOfBlocks(blocks, most);
    expect([ranges[0]!.start, ranges.at(-1)!.end]).toEqual([10, 40]);
    for (const [place, { start }] of ranges.entries()) {
      expect(blocks).toContain(start);
      if (place > 0) expect(start).toBe(ranges[place - 1]!.end);
    }
  }
  expect(rangesOfBlocks([10], 2)).toEqual([]);
});
