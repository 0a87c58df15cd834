import { EigenvalueDecomposition, Matrix as LibraryMatrix } from 'ml-matrix';
import { MethodError } from './error.js';
import { centredRows, featureMean } from './hyperplanes.js';
import { addUpperGram, type Matrix, mirror, times, transposed, zeros } from './matrix.js';

/** The directions in which features vary most. */
export interface PrincipalComponents {
  /** `[1, dimension]` */
  readonly mean: Matrix;
  /** Orthonormal, the largest variance first, the entry of the largest magnitude positive `[count, dimension]` */
  readonly components: Matrix;
}

/** Rows that are centred at a time. */
const blockRows = 512;
/** More directions are followed than are wanted: the fewer iterations are needed. */
const spareDirections = 16;
/** Largest distance of C·v from λ·v, relative to the largest eigenvalue. Rounding alone leaves a hundredth of it. */
const tolerance = 1e-11;
/** Only eigenvalues that are nearly equal need as many. Any basis of their directions is as good then. */
const mostIterations = 300;
/** Smaller eigenvalues, relative to the largest, are rounding. */
const leastVariance = 1e-12;

/**
 * Principal components of features `[n, dimension]`: the first eigenvectors of their covariance matrix. Found by
 * orthogonal iteration with Rayleigh–Ritz steps (Golub and Van Loan, Matrix Computations, 8.2), whose small eigenvalue
 * problems the library solves. All eigenvectors of a matrix of 2048² take the library minutes.
 * @returns at most `count` components; fewer when the features vary in fewer directions
 */
export function principalComponents(
  features: Float32Array,
  dimension: number,
  count: number,
): PrincipalComponents {
  const mean = featureMean(features, dimension);
  const covariance = covarianceOf(features, mean);
  const followed = Math.min(dimension, 2 * count + spareDirections);
  let basis = orthonormalRows(startRows(followed, dimension));
  for (let iteration = 1; ; iteration++) {
    const image = times(basis, covariance);
    const { values, vectors } = symmetricEigen(times(image, transposed(basis)));
    const turn = transposed(vectors);
    const ritz = times(turn, basis);
    const turned = times(turn, image);
    const wanted = Math.min(count, values.filter((value) => value > leastVariance * values[0]!).length);
    if (iteration === mostIterations || hasConverged(ritz, turned, values, wanted)) {
      return { mean, components: withFixedSigns(ritz, wanted) };
    }
    basis = orthonormalRows(turned);
  }
}

/**
 * The same, where every one of `count` components is needed.
 * @throws MethodError `METHOD_RANK` when the features vary in fewer directions
 */
export function allPrincipalComponents(
  method: string,
  features: Float32Array,
  dimension: number,
  count: number,
): PrincipalComponents {
  const found = principalComponents(features, dimension, count);
  if (found.components.rows < count) {
    throw new MethodError(
      'METHOD_RANK',
      `the features of the ${features.length / dimension} training images vary in ${found.components.rows} directions, but ${method} needs ${count}, as many as the codes have bits`,
    );
  }
  return found;
}

/** `[dimension, dimension]` */
function covarianceOf(features: Float32Array, mean: Matrix): Matrix {
  const dimension = mean.columns;
  const count = features.length / dimension;
  const sum = zeros(dimension, dimension);
  for (let first = 0; first < count; first += blockRows) {
    addUpperGram(sum, centredRows(features, mean, first, Math.min(blockRows, count - first)));
  }
  mirror(sum);
  return { ...sum, data: sum.data.map((value) => value / count) };
}

/**
 * Rows that are orthogonal to no wanted eigenvector: the fractions of multiples of the golden section by squares, which
 * follow no pattern. So the components do not depend on the run's seed.
 */
function startRows(rows: number, columns: number): Matrix {
  const golden = (Math.sqrt(5) - 1) / 2;
  const data = Float64Array.from({ length: rows * columns }, (_, i) => (((i + 1) ** 2 * golden) % 1) - 0.5);
  return { rows, columns, data };
}

/** Gram and Schmidt's method, each row twice so that rounding does not add up; a row of zeros stays one. */
function orthonormalRows({ rows, columns, data }: Matrix): Matrix {
  const result = data.slice();
  const row = (index: number) => result.subarray(index * columns, (index + 1) * columns);
  for (let i = 0; i < rows; i++) {
    const own = row(i);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = row(j);
        const share = dot(own, other);
        for (let k = 0; k < columns; k++) own[k]! -= share * other[k]!;
      }
      const length = Math.sqrt(dot(own, own));
      for (let k = 0; k < columns && length > 0; k++) own[k]! /= length;
    }
  }
  return { rows, columns, data: result };
}

/** Eigenvalues, the largest first, and their eigenvectors as columns. */
function symmetricEigen({ rows, columns, data }: Matrix): { values: number[]; vectors: Matrix } {
  const matrix = LibraryMatrix.from1DArray(rows, columns, data);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  });
  const vectors = zeros(rows, columns);
  // The library gives the smallest first.
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++)
      vectors.data[i * columns + j] = eigenvectorMatrix.get(i, columns - 1 - j);
  }
  return { values: [...realEigenvalues].reverse(), vectors };
}

function hasConverged(vectors: Matrix, images: Matrix, values: readonly number[], wanted: number): boolean {
  const { columns } = vectors;
  for (let i = 0; i < wanted; i++) {
    let square = 0;
    for (let at = i * columns; at < (i + 1) * columns; at++) {
      square += (images.data[at]! - values[i]! * vectors.data[at]!) ** 2;
    }
    if (Math.sqrt(square) > tolerance * values[0]!) return false;
  }
  return true;
}

/** An eigenvector's sign is free, and would else depend on rounding. */
function withFixedSigns({ columns, data }: Matrix, rows: number): Matrix {
  const result = data.slice(0, rows * columns);
  for (let i = 0; i < rows; i++) {
    const own = result.subarray(i * columns, (i + 1) * columns);
    const largest = own.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    if (largest < 0) for (let k = 0; k < columns; k++) own[k] = -own[k]!;
  }
  return { rows, columns, data: result };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
