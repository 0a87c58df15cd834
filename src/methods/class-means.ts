import { checkLength } from './error.js';

/**
 * Mean features of the classes, summed in float64 in the order of the images; 0 for a class without images.
 * @param features `[n, dimension]`
 * @param labels classes of the images `[n]`
 * @returns `[classCount, dimension]`
 */
export function classMeans(
  features: Float32Array,
  dimension: number,
  labels: Int32Array,
  classCount: number,
): Float32Array<ArrayBuffer> {
  checkLength('A matrix of features', features.length, labels.length * dimension);
  const sums = new Float64Array(classCount * dimension);
  const sizes = new Float64Array(classCount);
  labels.forEach((label, image) => {
    sizes[label]!++;
    const [from, to] = [image * dimension, label * dimension];
    for (let i = 0; i < dimension; i++) sums[to + i]! += features[from + i]!;
  });
  return Float32Array.from(sums, (sum, i) => sum / Math.max(1, sizes[Math.floor(i / dimension)]!));
}
