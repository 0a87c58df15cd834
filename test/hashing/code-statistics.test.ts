import { expect, test } from 'vitest';
import { codeStatistics } from '../../src/hashing/code-statistics.js';
import { failure } from '../kit/failure.js';
import { randomCodes } from '../retrieval/brute-force.js';

test('bits that are equal, opposite, independent or constant', () => {
  const rows = [
    [1, 1, -1, 1, 1],
    [1, 1, -1, -1, 1],
    [-1, -1, 1, 1, 1],
    [-1, -1, 1, -1, 1],
  ];
  const { balance, correlation, distinct } = codeStatistics(Int8Array.from(rows.flat()), 5);
  expect([...balance]).toEqual([0.5, 0.5, 0.5, 0.5, 1]);
  const matrix = rows[0]!.map((_, i) => [...correlation.subarray(5 * i, 5 * (i + 1))]);
  expect(matrix).toEqual([
    [1, 1, -1, 0, 0],
    [1, 1, -1, 0, 0],
    [-1, -1, 1, 0, 0],
    [0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0],
  ]);
  expect(distinct).toBe(4);
});

test('the correlation is that of Pearson, and codes of 64 bits are told apart', () => {
  const bits = 64;
  const codes = randomCodes(3, 200, bits);
  const { correlation, distinct } = codeStatistics(codes, bits);
  const column = (bit: number) => Array.from({ length: 200 }, (_, row) => codes[row * bits + bit]!);
  const [a, b] = [column(3), column(50)];
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = (x: number[], y: number[]) =>
    mean(x.map((value, row) => (value - mean(x)) * (y[row]! - mean(y))));
  const expected = covariance(a, b) / Math.sqrt(covariance(a, a) * covariance(b, b));
  expect(correlation[3 * bits + 50]).toBeCloseTo(expected, 12);
  expect(distinct).toBe(200);
});

test('a matrix that has no whole rows is refused', () => {
  expect(() => codeStatistics(new Int8Array(7), 5)).toThrow(
    failure('HASHING_SHAPE', /has 7 elements, expected 5/),
  );
});
