import { checkLength } from './error.js';

/** Sums of the features of each class, in float64, in the order in which images are added. */
export class ClassFeatureSums {
  private readonly sums: Float64Array;
  private readonly sizes: Float64Array;

  constructor(
    private readonly dimension: number,
    classCount: number,
  ) {
    this.sums = new Float64Array(classCount * dimension);
    this.sizes = new Float64Array(classCount);
  }

  /**
   * Adds images.
   * @param features `[n, dimension]`
   * @param labels classes of the images `[n]`
   */
  add(features: Float32Array, labels: Int32Array): void {
    const { dimension, sums, sizes } = this;
    checkLength('a matrix of features', features.length, labels.length * dimension);
    labels.forEach((label, image) => {
      sizes[label]!++;
      const [from, to] = [image * dimension, label * dimension];
      for (let i = 0; i < dimension; i++) sums[to + i]! += features[from + i]!;
    });
  }

  /** The means `[classCount, dimension]`; 0 for a class without images. */
  means(): Float32Array<ArrayBuffer> {
    const { dimension, sums, sizes } = this;
    return Float32Array.from(sums, (sum, i) => sum / Math.max(1, sizes[Math.floor(i / dimension)]!));
  }
}
