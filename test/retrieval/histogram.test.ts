import fc from 'fast-check';
import { expect, test } from 'vitest';
import { colorHistogram, histogramBins, histogramRetrieval } from '../../src/retrieval/histogram.js';
import { generator } from '../hashing/dense.js';
import { averagePrecisionOf, sorted } from './brute-force.js';

/** Pictures of few colours, so that distances tie. */
function pictures(seed: number, count: number, pixels: number): Uint8Array[] {
  const next = generator(seed);
  return Array.from({ length: count }, () =>
    Uint8Array.from({ length: pixels * 3 }, () => 100 * Math.floor(3 * next())),
  );
}

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

test('a picture’s histogram counts its colours by their three highest bits', () => {
  const histogram = colorHistogram(Uint8Array.of(0, 0, 31, 255, 255, 255, 0, 0, 32, 64, 32, 0, 31, 31, 31));
  expect(histogram.length).toBe(histogramBins);
  const counted = [...histogram.entries()].filter(([, count]) => count > 0);
  expect(counted).toEqual([
    [0, 2],
    [1, 1],
    [2 * 64 + 8, 1],
    [511, 1],
  ]);
});

test('average precision of nearest neighbours by L1 distance, ties by index', async () => {
  const classes = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 15 });
  await fc.assert(
    fc.asyncProperty(classes, classes, fc.integer(), async (queryLabels, databaseLabels, seed) => {
      const queries = pictures(seed, queryLabels.length, 6).map(colorHistogram);
      const database = pictures(seed + 1, databaseLabels.length, 6).map(colorHistogram);
      const figure = await histogramRetrieval({
        databaseHistograms: stream(database),
        databaseLabels: Int32Array.from(databaseLabels),
        queryHistograms: queries,
        queryLabels: Int32Array.from(queryLabels),
      });
      const precisions = queries.map((query, row) =>
        averagePrecisionOf(
          sorted(
            database.map((histogram, item) => ({
              distance: histogram.reduce((sum, count, bin) => sum + Math.abs(count - query[bin]!), 0),
              relevant: databaseLabels[item] === queryLabels[row],
            })),
          ),
        ),
      );
      expect(figure).toMatchObject({ queries: queries.length, databaseSize: database.length });
      expect(figure.mAP).toBeCloseTo(precisions.reduce((sum, value) => sum + value, 0) / queries.length, 12);
    }),
  );
});

const one = colorHistogram(new Uint8Array(12));
test.each([
  [
    'RETRIEVAL_HISTOGRAM',
    { queryHistograms: [colorHistogram(new Uint8Array(9))] },
    'a colour histogram has 512 bins and 3 pixels, expected 512 bins and 4 pixels',
  ],
  ['RETRIEVAL_HISTOGRAM', { databaseHistograms: [Uint32Array.of(4)] }, '1 bins'],
  ['RETRIEVAL_SHAPE', { databaseHistograms: [] }, '0 histograms, expected 1'],
  ['RETRIEVAL_SHAPE', { databaseHistograms: [one, one] }, 'more than 1 histograms, expected 1'],
  ['RETRIEVAL_SHAPE', { queryHistograms: [] }, '0 histograms, expected 1'],
  ['RETRIEVAL_SHAPE', { queryHistograms: [one, one] }, 'more than 1 histograms'],
  [
    'RETRIEVAL_EMPTY',
    { queryHistograms: [], queryLabels: new Int32Array(0) },
    'there are no queries or no database items, expected at least one of each',
  ],
])('%s', async (code, change, text) => {
  const labels = new Int32Array(1);
  const input = {
    databaseHistograms: [one],
    databaseLabels: labels,
    queryHistograms: [one],
    queryLabels: labels,
  };
  await expect(histogramRetrieval({ ...input, ...change })).rejects.toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(text) }),
  );
});
