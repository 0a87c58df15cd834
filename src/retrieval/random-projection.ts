import { checkLength } from './error.js';

/**
 * Locality-sensitive hashing, the baseline without training: a bit tells the side of a random hyperplane through the
 * features' mean (Charikar, 2002).
 */

/** Mean of features `[n, dimension]`, in float64 `[dimension]`. */
export function featureMean(features: Float32Array, dimension: number): Float64Array {
  const rows = Math.floor(features.length / dimension);
  checkLength('A matrix of features', features.length, rows * dimension);
  const mean = new Float64Array(dimension);
  for (let i = 0; i < features.length; i++) mean[i % dimension]! += features[i]!;
  return mean.map((sum) => sum / rows);
}

/**
 * Gaussian normals of the hyperplanes `[bits, dimension]`, by Box and Muller.
 * @param uniform keyed numbers in [0, 1), called once for each index in 0..bits·dimension·2-1
 */
export function gaussianProjection(
  uniform: (index: number) => number,
  bits: number,
  dimension: number,
): Float64Array {
  return Float64Array.from({ length: bits * dimension }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(2 * i)));
    return radius * Math.cos(2 * Math.PI * uniform(2 * i + 1));
  });
}

/**
 * Codes ±1 `[n, bits]` of features `[n, dimension]`: the signs of their projections, sign(0) = +1.
 *
 * @param mean `[dimension]`, of the database
 * @param projection `[bits, dimension]`
 */
export function projectionCodes(
  features: Float32Array,
  mean: Float64Array,
  projection: Float64Array,
  bits: number,
): Int8Array {
  const dimension = mean.length;
  const rows = Math.floor(features.length / dimension);
  checkLength('A matrix of features', features.length, rows * dimension);
  checkLength('A projection', projection.length, bits * dimension);
  const codes = new Int8Array(rows * bits);
  const centred = new Float64Array(dimension);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < dimension; i++) centred[i] = features[row * dimension + i]! - mean[i]!;
    for (let bit = 0; bit < bits; bit++) {
      let sum = 0;
      for (let i = 0; i < dimension; i++) sum += projection[bit * dimension + i]! * centred[i]!;
      codes[row * bits + bit] = sum >= 0 ? 1 : -1;
    }
  }
  return codes;
}
