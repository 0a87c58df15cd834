import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packCodes } from '../../src/hashing/codes.js';
import { NearestIndex } from '../../src/retrieval/nearest-index.js';
import { failure } from '../kit/failure.js';
import { distanceOf, randomCodes } from './brute-force.js';

/** A plain scan: every distance, then a sort that keeps the order of rows. */
function scanned(query: Int8Array, database: Int8Array, bits: number, count: number) {
  const size = database.length / bits;
  const items = Array.from({ length: size }, (_, row) => ({
    row,
    distance: distanceOf(query, 0, database, row, bits),
  }));
  const first = items.sort((a, b) => a.distance - b.distance || a.row - b.row).slice(0, count);
  return { rows: first.map(({ row }) => row), distances: first.map(({ distance }) => distance) };
}

function searched(query: Int8Array, database: Int8Array, bits: number, count: number) {
  const index = new NearestIndex(packCodes(database, bits), database.length / bits, bits);
  const { rows, distances } = index.nearest(packCodes(query, bits), 0, count);
  return { rows: [...rows], distances: [...distances] };
}

test('the nearest are those of a plain scan, ties by row, for 1 to 64 bits', () => {
  const input = fc.record({
    bits: fc.integer({ min: 1, max: 64 }),
    size: fc.integer({ min: 1, max: 300 }),
    count: fc.integer({ min: 1, max: 320 }),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(input, ({ bits, size, count, seed }) => {
      const [query, database] = [randomCodes(seed, 1, bits), randomCodes(seed + 1, size, bits)];
      expect(searched(query, database, bits, count)).toEqual(scanned(query, database, bits, count));
    }),
  );
});

test.each([
  ['random', (row: number) => row],
  ['the farthest first', (row: number, size: number) => size - 1 - row],
])('a database of more hits than are found at once, %s', (_, order) => {
  const [bits, size, count] = [48, 6000, 100];
  const query = randomCodes(1, 1, bits);
  const drawn = randomCodes(2, size, bits);
  const byDistance = Array.from({ length: size }, (_, row) => row).sort(
    (a, b) => distanceOf(query, 0, drawn, a, bits) - distanceOf(query, 0, drawn, b, bits),
  );
  const database = new Int8Array(drawn.length);
  for (let row = 0; row < size; row++) {
    const source = order(row, size) === row ? row : byDistance[order(row, size)]!;
    database.set(drawn.subarray(source * bits, (source + 1) * bits), row * bits);
  }
  expect(searched(query, database, bits, count)).toEqual(scanned(query, database, bits, count));
});

test('many equal codes are ranked by row', () => {
  const bits = 24;
  const code = randomCodes(3, 1, bits);
  const database = new Int8Array(3000 * bits);
  for (let row = 0; row < 3000; row++) database.set(code, row * bits);
  expect(searched(code, database, bits, 5)).toEqual({ rows: [0, 1, 2, 3, 4], distances: [0, 0, 0, 0, 0] });
});

test('a database without codes, of another length, and one that does not fit into the memory', () => {
  expect(() => new NearestIndex(new Uint32Array(0), 0, 48)).toThrow(
    failure('RETRIEVAL_EMPTY', 'the database has 0 items, expected at least one'),
  );
  expect(() => new NearestIndex(new Uint32Array(3), 2, 48)).toThrow(
    failure('RETRIEVAL_SHAPE', /^a database of packed codes has 3 elements, expected 4/),
  );
  const huge = { length: 2 * 800_000_000 } as Uint32Array;
  expect(() => new NearestIndex(huge, 800_000_000, 48)).toThrow(
    failure(
      'RETRIEVAL_TOO_LARGE',
      'the database has 800000000 codes of 48 bits, expected at most 715816720: an index is limited to 4 GiB',
    ),
  );
});
