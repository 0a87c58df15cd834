import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packCodes } from '../../src/hashing/codes.js';
import { evaluateRetrieval, queryFigures } from '../../src/retrieval/evaluate.js';
import { HammingIndex } from '../../src/retrieval/hamming-index.js';
import { averagePrecisionOf, distanceOf, permutations, randomCodes, sorted } from './brute-force.js';

const cases = fc
  .record({
    bits: fc.integer({ min: 1, max: 64 }),
    classCount: fc.integer({ min: 1, max: 5 }),
    queryLabels: fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 1, maxLength: 4 }),
    databaseLabels: fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 1, maxLength: 50 }),
    seed: fc.integer(),
  })
  .map(({ bits, classCount, queryLabels, databaseLabels, seed }) => {
    const query = randomCodes(seed, queryLabels.length, bits);
    const database = randomCodes(seed + 1, databaseLabels.length, bits);
    return {
      bits,
      classCount,
      query,
      database,
      queryLabels: Int32Array.from(queryLabels),
      databaseLabels: Int32Array.from(databaseLabels),
      queryCodes: packCodes(query, bits),
      databaseCodes: packCodes(database, bits),
    };
  });

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function itemsOf({ query, database, bits, queryLabels, databaseLabels, classCount }: Case, row: number) {
  const label = queryLabels[row]!;
  return Array.from(databaseLabels, (other, item) => ({
    item,
    distance: distanceOf(query, row, database, item, bits),
    relevant: other === label && label >= 0 && label < classCount,
  }));
}

test('rankings and average precisions are those of a sorted list, for 1 to 64 bits', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (input) => {
      const places = [1, 3, 10, 100];
      const figures = await queryFigures({ ...input, precisionAt: places });
      const { databaseCodes: codes, databaseLabels: labels, bits, classCount } = input;
      const index = new HammingIndex({ codes, labels }, bits, classCount);
      for (let row = 0; row < input.queryLabels.length; row++) {
        const order = itemsOf(input, row).sort((a, b) => a.distance - b.distance || a.item - b.item);
        expect([...index.ranking(input.queryCodes, row)]).toEqual(order.map(({ item }) => item));
        expect(figures.averagePrecisions[row]).toBeCloseTo(averagePrecisionOf(order), 12);
        places.forEach((k, i) => {
          const found = order.slice(0, k).filter(({ relevant }) => relevant).length;
          expect(figures.precisionAt[i]![row]).toBe(found / k);
        });
      }
    }),
  );
});

test('a database of some size', async () => {
  const [n, bits, classCount] = [5000, 48, 20];
  const query = randomCodes(31, 3, bits);
  const database = randomCodes(32, n, bits);
  const databaseLabels = Int32Array.from({ length: n }, (_, i) => (i * 7919) % classCount);
  const input = { bits, classCount, queryLabels: Int32Array.of(0, 7, 19), databaseLabels };
  const codes = { queryCodes: packCodes(query, bits), databaseCodes: packCodes(database, bits) };
  const { averagePrecisions } = await queryFigures({ ...input, ...codes, precisionAt: [] });
  for (let row = 0; row < 3; row++) {
    const order = sorted(itemsOf({ ...input, ...codes, query, database }, row));
    expect(averagePrecisions[row]).toBeCloseTo(averagePrecisionOf(order), 12);
  }
});

test('the tie-averaged precision is the mean over all orders of the database', async () => {
  const small = cases.filter(({ bits, databaseLabels }) => bits <= 4 && databaseLabels.length <= 6);
  await fc.assert(
    fc.asyncProperty(small, async (input) => {
      const { tieAveraged } = await queryFigures({ ...input, precisionAt: [] });
      for (let row = 0; row < input.queryLabels.length; row++) {
        const all = permutations(itemsOf(input, row)).map((order) => averagePrecisionOf(sorted(order)));
        const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
        expect(tieAveraged[row]).toBeCloseTo(mean, 12);
      }
    }),
    { numRuns: 40 },
  );
});

test('means over queries and over each class’s queries', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (input) => {
      const figures = await queryFigures({ ...input, precisionAt: [2] });
      const report = await evaluateRetrieval({ ...input, precisionAt: [2] });
      const mean = (values: readonly number[]) =>
        values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(report.mAP).toBeCloseTo(mean([...figures.averagePrecisions]), 12);
      expect(report.tieAveragedMAP).toBeCloseTo(mean([...figures.tieAveraged]), 12);
      expect(report.precisionAt['2']).toBeCloseTo(mean([...figures.precisionAt[0]!]), 12);
      expect(report.perClassAP.length).toBe(input.classCount);
      report.perClassAP.forEach((value, label) => {
        const own = [...figures.averagePrecisions].filter((_, row) => input.queryLabels[row] === label);
        if (own.length === 0) expect(value).toBeNaN();
        else expect(value).toBeCloseTo(mean(own), 12);
      });
    }),
  );
});

test('codes that are equal within a class and different between classes give 1', async () => {
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 6);
  const codes = Uint32Array.from(labels, (label) => 1 << label);
  const input = { queryCodes: codes, queryLabels: labels, databaseCodes: codes, databaseLabels: labels };
  const report = await evaluateRetrieval({ ...input, bits: 6, classCount: 6, precisionAt: [10] });
  expect(report).toMatchObject({ mAP: 1, tieAveragedMAP: 1, precisionAt: { 10: 1 } });
});

test('codes that say nothing give about the share of the class, whatever the order', async () => {
  const size = 4000;
  const labels = Int32Array.from({ length: size }, (_, i) => Math.floor(i / (size / 4)));
  const input = {
    queryLabels: Int32Array.of(0, 3),
    databaseLabels: labels,
    bits: 40,
    classCount: 4,
    precisionAt: [],
  };
  const equal = { queryCodes: new Uint32Array(4), databaseCodes: new Uint32Array(2 * size) };
  const { averagePrecisions, tieAveraged } = await queryFigures({ ...input, ...equal });
  expect(averagePrecisions[0]).toBe(1);
  expect(averagePrecisions[1]).toBeLessThan(0.25);
  expect(tieAveraged[0]).toBe(tieAveraged[1]);
  expect(Math.abs(tieAveraged[0]! - 0.25)).toBeLessThan(0.002);
});

const many = () => ({
  databaseCodes: new Uint32Array(2 ** 16),
  databaseLabels: new Int32Array(2 ** 16),
  bits: 8,
  classCount: 1,
  queryCodes: new Uint32Array(1600),
  queryLabels: new Int32Array(1600).fill(1),
  precisionAt: [],
});

test('the event loop runs while many queries are evaluated', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await evaluateRetrieval(many());
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});

test('an evaluation can be given up in the middle', async () => {
  const controller = new AbortController();
  const evaluation = evaluateRetrieval(many(), controller.signal);
  controller.abort(new Error('enough'));
  await expect(evaluation).rejects.toThrow('enough');
});

test.each([
  ['RETRIEVAL_SHAPE', { queryCodes: new Uint32Array(3) }, '3 elements, expected 2'],
  ['RETRIEVAL_SHAPE', { databaseCodes: new Uint32Array(1) }, '1 elements, expected 4'],
  [
    'RETRIEVAL_EMPTY',
    { queryCodes: new Uint32Array(0), queryLabels: new Int32Array(0) },
    'there are 0 queries, expected at least one',
  ],
  [
    'RETRIEVAL_EMPTY',
    { databaseCodes: new Uint32Array(0), databaseLabels: new Int32Array(0) },
    'the database has 0 items, expected at least one',
  ],
  [
    'RETRIEVAL_PRECISION_AT',
    { precisionAt: [0] },
    'precision at 0 is not defined, expected a k of at least 1',
  ],
  ['HASHING_BITS', { bits: 65 }, '65'],
])('%s: %o', async (code, change, text) => {
  const input = {
    queryCodes: new Uint32Array(2),
    queryLabels: new Int32Array(1),
    databaseCodes: new Uint32Array(4),
    databaseLabels: new Int32Array(2),
    bits: 40,
    classCount: 1,
    precisionAt: [1],
  };
  await expect(evaluateRetrieval({ ...input, ...change })).rejects.toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(text) }),
  );
});
