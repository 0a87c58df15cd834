import { expect, test } from 'vitest';
import {
  addUpperGram,
  gram,
  type Matrix,
  mirror,
  times,
  transposed,
  transposedTimes,
  zeros,
} from '../../src/methods/matrix.js';
import { relativeError, unit } from '../golden/support.js';

function matrix(name: string, rows: number, columns: number): Matrix {
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, (_, i) => unit(name, i)) };
}

/** a·b, sum by sum. */
function plainly(a: Matrix, b: Matrix): number[] {
  return Array.from({ length: a.rows * b.columns }, (_, at) => {
    const [i, j] = [Math.floor(at / b.columns), at % b.columns];
    let sum = 0;
    for (let k = 0; k < b.rows; k++) sum += a.data[i * a.columns + k]! * b.data[k * b.columns + j]!;
    return sum;
  });
}

// Tiles have 128 rows and 256 columns, and four rows are added at a time.
test.each([
  [1, 1, 1],
  [3, 2, 5],
  [130, 7, 257],
  [257, 129, 3],
])('products of [%i, %i] and [%i columns] are those of the definition', (rows, inner, columns) => {
  const [a, b] = [matrix('a', rows, inner), matrix('b', inner, columns)];
  const expected = plainly(a, b);
  expect(relativeError(times(a, b).data, expected)).toBeLessThan(1e-13);
  expect(relativeError(transposedTimes(transposed(a), b).data, expected)).toBeLessThan(1e-13);
});

test('aᵀ·a is that of the definition, also as a sum over parts', () => {
  const a = matrix('whole', 10, 300);
  const expected = plainly(transposed(a), a);
  expect(relativeError(gram(a).data, expected)).toBeLessThan(1e-13);
  const part = (from: number, rows: number) => ({
    rows,
    columns: 300,
    data: a.data.slice(from * 300, (from + rows) * 300),
  });
  const sum = zeros(300, 300);
  for (const rows of [part(0, 4), part(4, 6)]) addUpperGram(sum, rows);
  mirror(sum);
  expect(relativeError(sum.data, expected)).toBeLessThan(1e-13);
});

test('factors that do not fit are refused', () => {
  const error = expect.objectContaining({
    code: 'METHOD_SHAPE',
    message: 'a product joins 3 and 2 elements, expected as many',
  });
  expect(() => times(zeros(2, 3), zeros(2, 3))).toThrow(error);
  expect(() => transposedTimes(zeros(3, 1), zeros(2, 1))).toThrow(error);
});
