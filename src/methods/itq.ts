import { Matrix as LibraryMatrix, SingularValueDecomposition } from 'ml-matrix';
import { gaussians } from './gaussian.js';
import { projections, signs } from './hyperplanes.js';
import { hashByHyperplanes } from './lsh.js';
import { type Matrix, times, transposed, transposedTimes } from './matrix.js';
import type { FeatureHashing } from './method.js';
import { allPrincipalComponents } from './principal-components.js';

/**
 * Iterative quantisation (Gong and Lazebnik, 2011): the features' first principal components V = (X − μ)P, `[n, bits]`,
 * are rotated so that they lie near the corners of the cube: min |B − VR|² over B ∈ {±1} and orthogonal R. The code of x
 * is sign((x − μ)PR).
 */
export const itq: FeatureHashing = {
  learn({ features, dimension, bits, settings, random }) {
    const { mean, components } = allPrincipalComponents('itq', features, dimension, bits);
    const data = gaussians((index) => random.uniform('rotation', index), bits * bits);
    // The nearest orthogonal matrix of a Gaussian one is a uniformly random rotation.
    const start = nearestOrthogonal({ rows: bits, columns: bits, data });
    const rotation = findRotation(projections(features, mean, components), start, settings.itq.iterations);
    return { mean, normals: transposedTimes(rotation, components) };
  },

  hash: hashByHyperplanes,
};

/**
 * Alternates B = sign(VR), and R = UWᵀ of VᵀB = USWᵀ, which is the nearest rotation of V to B (Schönemann's solution
 * of Procrustes' problem). Neither increases |B − VR|².
 * @param projected V `[n, bits]`
 * @param start R `[bits, bits]`
 * @param onIteration called with |B − VR|² after each iteration
 */
export function findRotation(
  projected: Matrix,
  start: Matrix,
  iterations: number,
  onIteration?: (error: number) => void,
): Matrix {
  let rotation = start;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const codes = { ...projected, data: Float64Array.from(signs(times(projected, rotation))) };
    rotation = nearestOrthogonal(transposedTimes(projected, codes));
    onIteration?.(squaredDistance(codes, times(projected, rotation)));
  }
  return rotation;
}

/** UWᵀ of the singular value decomposition USWᵀ. Unlike U and W, it is unique when no singular value is 0. */
export function nearestOrthogonal({ rows, columns, data }: Matrix): Matrix {
  const { leftSingularVectors, rightSingularVectors } = new SingularValueDecomposition(
    LibraryMatrix.from1DArray(rows, columns, data),
  );
  return times(fromLibrary(leftSingularVectors), transposed(fromLibrary(rightSingularVectors)));
}

function fromLibrary(matrix: LibraryMatrix): Matrix {
  return { rows: matrix.rows, columns: matrix.columns, data: Float64Array.from(matrix.to1DArray()) };
}

function squaredDistance(a: Matrix, b: Matrix): number {
  return a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
}
