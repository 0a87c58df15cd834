import { expect, test } from 'vitest';
import { packCodes } from '../../src/hashing/codes.js';
import { nearestClasses } from '../../src/retrieval/confusions.js';
import { rankingCurves, recallLevels } from '../../src/retrieval/curves.js';
import { evaluateRetrieval } from '../../src/retrieval/evaluate.js';
import { nearestItems } from '../../src/retrieval/nearest.js';
import { distanceOf, randomCodes } from './brute-force.js';

const bits = 5;
const classCount = 3;
const queryLabels = Int32Array.from({ length: 12 }, (_, i) => i % classCount);
const databaseLabels = Int32Array.from({ length: 90 }, (_, i) => (i * 7) % classCount);
const query = randomCodes(1, queryLabels.length, bits);
const database = randomCodes(2, databaseLabels.length, bits);
const input = {
  bits,
  classCount,
  queryLabels,
  databaseLabels,
  queryCodes: packCodes(query, bits),
  databaseCodes: packCodes(database, bits),
};

/** The database for one query, sorted by distance and row. */
const ranking = (row: number) =>
  Array.from(databaseLabels, (label, item) => ({
    item,
    label,
    distance: distanceOf(query, row, database, item, bits),
  })).sort((left, right) => left.distance - right.distance || left.item - right.item);
const rankings = Array.from(queryLabels, (_, row) => ranking(row));
const mean = (value: (row: number) => number) =>
  queryLabels.reduce((sum, _, row) => sum + value(row), 0) / queryLabels.length;

test('precision at a rank is the share of the class among the first items, averaged over queries', async () => {
  const { ranks, precisionAtRank } = await rankingCurves(input);
  expect(ranks.slice(0, 11)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(ranks.at(-1)).toBe(90);
  ranks.forEach((rank, at) => {
    const expected = mean(
      (row) => rankings[row]!.slice(0, rank).filter(({ label }) => label === queryLabels[row]).length / rank,
    );
    expect(precisionAtRank[at]).toBeCloseTo(expected, 12);
  });
});

test('precision at a recall is that of the shortest ranking with so many items of the class', async () => {
  const { precisionAtRecall } = await rankingCurves(input);
  for (const level of [1, 37, 50, recallLevels]) {
    const expected = mean((row) => {
      const places = rankings[row]!.flatMap(({ label }, place) =>
        label === queryLabels[row] ? place + 1 : [],
      );
      const wanted = Math.ceil((level * places.length) / recallLevels);
      return wanted / places[wanted - 1]!;
    });
    expect(precisionAtRecall[level - 1]).toBeCloseTo(expected, 12);
  }
});

test('every pair is counted once by its distance, apart by class', async () => {
  const { sameClassPairs, otherClassPairs, averagePrecisions } = await rankingCurves(input);
  const expected = { same: new Array(bits + 1).fill(0), other: new Array(bits + 1).fill(0) };
  rankings.forEach((order, row) => {
    for (const { label, distance } of order)
      expected[label === queryLabels[row] ? 'same' : 'other'][distance]++;
  });
  expect([...sameClassPairs]).toEqual(expected.same);
  expect([...otherClassPairs]).toEqual(expected.other);
  const { mAP } = await evaluateRetrieval({ ...input, precisionAt: [] });
  expect(averagePrecisions.reduce((sum, value) => sum + value, 0) / queryLabels.length).toBe(mAP);
});

test('the nearest items come by distance, ties by row, and no more than there are', async () => {
  const { count, rows } = await nearestItems(input, 10);
  expect(count).toBe(10);
  rankings.forEach((order, row) => {
    const expected = order.slice(0, 10).map(({ item }) => item);
    expect([...rows.subarray(10 * row, 10 * (row + 1))]).toEqual(expected);
  });
  expect((await nearestItems(input, 1000)).count).toBe(90);
});

test('the classes of the nearest items are counted for each class of queries', () => {
  const nearest = { count: 2, rows: Int32Array.of(0, 1, 1, 2, 3, 3) };
  const shares = nearestClasses(nearest, Int32Array.of(0, 0, 7), Int32Array.of(2, 0, 1, 1), 3);
  expect(shares).toEqual([
    [
      { label: 0, share: 0.5 },
      { label: 1, share: 0.25 },
      { label: 2, share: 0.25 },
    ],
    [],
    [],
  ]);
});
