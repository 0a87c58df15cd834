import { CholeskyDecomposition, Matrix as LibraryMatrix } from 'ml-matrix';
import type { Matrix } from './matrix.js';

/** Solves (A + weight·I) X = right for a symmetric A that is not negative, for any number of right sides. */
export function ridgeSolver({ rows, columns, data }: Matrix, weight: number): (right: Matrix) => Matrix {
  const matrix = LibraryMatrix.from1DArray(rows, columns, data);
  for (let i = 0; i < rows; i++) matrix.set(i, i, matrix.get(i, i) + weight);
  const decomposition = new CholeskyDecomposition(matrix);
  return (right) => {
    const solved = decomposition.solve(LibraryMatrix.from1DArray(right.rows, right.columns, right.data));
    return { ...right, data: Float64Array.from(solved.to1DArray()) };
  };
}
