import { expect, test } from 'vitest';
import { adshObjective, updateDatabaseCodes } from '../../src/hashing/adsh.js';
import { packCodes, unpackCodes, wordsPerCode } from '../../src/hashing/codes.js';
import { rowTargets, similarityHead, softRatio, summarizeCodes } from '../../src/hashing/similarity.js';

/** Three codes of two bits in two classes, of which the second was sampled. */
const database = {
  codes: Int8Array.of(1, -1, 1, -1, 1, -1),
  labels: Int32Array.of(0, 1, 1),
  bits: 2,
  classCount: 2,
  omega: Int32Array.of(1),
  u: Float32Array.of(0.5, -0.5),
  ratio: 1,
  gamma: 200,
};
const rows = {
  u: database.u,
  labels: Int32Array.of(1),
  ownCodes: Int8Array.of(1, -1),
  gamma: 200,
  batchRows: 1,
};

function refused(code: string, message: string): Error {
  return expect.objectContaining({ name: 'HashingError', code, exitCode: 65, message });
}

test.each([0, 65, 1.5, Number.NaN])('a code length of %s is refused', (bits) => {
  const error = refused('HASHING_BITS', `code length is ${bits}, expected an integer from 1 to 64`);
  expect(() => wordsPerCode(bits)).toThrow(error);
  expect(() => summarizeCodes({ ...database, bits })).toThrow(error);
  expect(() => updateDatabaseCodes({ ...database, bits })).toThrow(error);
});

test('a code has 1 to 64 bits, in words of 32', () => {
  expect([1, 32, 33, 64].map(wordsPerCode)).toEqual([1, 1, 2, 2]);
});

const shapes: [string, () => unknown, string][] = [
  [
    'packed codes',
    () => unpackCodes(new Uint32Array(3), 2, 48),
    'a matrix of packed codes has 3 elements, expected 4',
  ],
  [
    'codes that are no whole number of rows',
    () => packCodes(new Int8Array(7), 3),
    'a matrix of codes has 7 elements, expected 6',
  ],
  [
    'codes of another number of rows than labels',
    () => summarizeCodes({ ...database, labels: Int32Array.of(0) }),
    'a matrix of database codes has 6 elements, expected 2',
  ],
  [
    'codes of another number of rows in a sweep',
    () => updateDatabaseCodes({ ...database, codes: new Int8Array(4) }),
    'a matrix of database codes has 4 elements, expected 6',
  ],
  [
    'outputs of another number of rows than sampled ones',
    () => updateDatabaseCodes({ ...database, u: Float32Array.of(0.5) }),
    'a matrix of outputs has 1 elements, expected 2',
  ],
  [
    'outputs of another number of rows than labels',
    () => similarityHead(summarizeCodes(database), { ...rows, u: new Float32Array(4) }),
    'a matrix of outputs has 4 elements, expected 2',
  ],
  [
    'own codes of another number of rows than labels',
    () => similarityHead(summarizeCodes(database), { ...rows, ownCodes: new Int8Array(1) }),
    'a matrix of own codes has 1 elements, expected 2',
  ],
];
test.each(shapes)('a matrix of a wrong size is refused: %s', (_, act, message) => {
  expect(act).toThrow(refused('HASHING_SHAPE', message));
});

test.each([-1, 2])('label %i of two classes is refused', (label) => {
  const labels = Int32Array.of(0, 1, label);
  const error = refused('HASHING_LABEL', `label ${label} of row 2 is not a class in 0..1`);
  expect(() => summarizeCodes({ ...database, labels })).toThrow(error);
  expect(() => updateDatabaseCodes({ ...database, labels })).toThrow(error);
  expect(() => rowTargets(summarizeCodes(database), labels)).toThrow(error);
  expect(() => softRatio(labels, Int32Array.of(1, 2))).toThrow(error);
});

test.each([-1, 3])('sampled row %i of a database of three is refused', (row) => {
  const error = refused('HASHING_ROW', `sampled row ${row} is not in a database of 3 rows`);
  const omega = Int32Array.of(row);
  expect(() => updateDatabaseCodes({ ...database, omega })).toThrow(error);
  expect(() => adshObjective({ ...database, omega })).toThrow(error);
});

test.each([
  [1, Number.NaN],
  [0, Number.POSITIVE_INFINITY],
  [1, Number.NEGATIVE_INFINITY],
])('output %i of %s is refused', (at, value) => {
  expect(() => updateDatabaseCodes({ ...database, u: database.u.with(at, value) })).toThrow(
    refused('HASHING_NOT_FINITE', `output ${at} is ${value}, expected a finite number`),
  );
});

test('the largest and the smallest finite outputs are taken', () => {
  const u = Float32Array.of(3.4028234663852886e38, 1.401298464324817e-45);
  expect(() => updateDatabaseCodes({ ...database, u })).not.toThrow();
});

test('an empty database is refused', () => {
  const empty = { ...database, labels: new Int32Array(0), codes: new Int8Array(0) };
  expect(() => updateDatabaseCodes(empty)).toThrow(
    refused('HASHING_EMPTY', 'the database has 0 rows, expected at least one'),
  );
});

test('a database of one class has no ratio', () => {
  expect(() => softRatio(Int32Array.of(0, 0), Int32Array.of(3))).toThrow(
    refused(
      'HASHING_ONE_CLASS',
      'all 6 pairs of sampled and database items are of one class, expected at least two classes',
    ),
  );
});
