import { gaussians } from './gaussian.js';
import { featureMean, projections, signs } from './hyperplanes.js';
import type { FeatureHashing, FeatureTraining, HashFunction } from './method.js';

/**
 * Locality-sensitive hashing (Charikar, 2002), which learns nothing but the features' mean μ: bit k is
 * sign(wₖ·(x − μ)), each wₖ ~ N(0, I). Two features differ in a bit with probability angle / π.
 */
export const lsh = {
  learn({
    features,
    dimension,
    bits,
    random,
  }: Pick<FeatureTraining, 'features' | 'dimension' | 'bits' | 'random'>): HashFunction {
    const data = gaussians((index) => random.uniform('hyperplanes', index), bits * dimension);
    return {
      mean: featureMean(features, dimension),
      normals: { rows: bits, columns: dimension, data },
    };
  },

  hash: hashByHyperplanes,
} satisfies FeatureHashing;

/** Signs of the sides of the hyperplanes `mean`, `normals`. */
export function hashByHyperplanes(
  { mean, normals }: HashFunction,
  features: Float32Array,
): Int8Array<ArrayBuffer> {
  return signs(projections(features, mean!, normals!));
}
