import { DatasetError } from './error.js';
import { type KeyedRandom, Purpose } from './random.js';

/** One batch of triplets. The network makes the erased member of each from its anchor. All arrays are [rows]. */
export interface TripletBatch {
  /** rows of Omega, so that `anchors[i] === omega[positions[i]]` */
  positions: Int32Array<ArrayBuffer>;
  /** indices into the train split */
  anchors: Int32Array<ArrayBuffer>;
  /** indices into the train split, of the anchor's class; differs from the anchor when the class has two images */
  positives: Int32Array<ArrayBuffer>;
}

export interface TripletSamplerOptions {
  random: KeyedRandom;
  /** class of each train image, [n], in [0, classCount) */
  labels: Int32Array;
  classCount: number;
  /** m, the images of one iteration; 1 … n */
  sampleSize: number;
  /** rows of a batch; the last one of an epoch may be smaller */
  batchSize: number;
}

/**
 * Selects the triplets of a run. Omega is drawn once per iteration without replacement. Each epoch goes through it in
 * its own order. A positive is uniform in the anchor's class over the whole train split (method 1.10). Every choice is
 * keyed, so any batch can be computed at any time.
 */
export class TripletSampler {
  /** classes with a single train image, ascending: it is its own positive */
  readonly loneClasses: readonly number[];
  private readonly options: TripletSamplerOptions;
  /** train indices ordered by class, then by index */
  private readonly byClass: Int32Array;
  /** first place of each class in `byClass`, [classCount + 1] */
  private readonly classStarts: Int32Array;
  /** place of each train image in `byClass`, [n] */
  private readonly places: Int32Array;
  private drawnOmega: { iteration: number; indices: Int32Array<ArrayBuffer> } | null = null;
  private drawnOrder: { iteration: number; epoch: number; positions: Int32Array<ArrayBuffer> } | null = null;

  /** @throws DatasetError DATASET_SAMPLE_SIZE when m is not an integer in [1, n] */
  constructor(options: TripletSamplerOptions) {
    const { labels, classCount, sampleSize } = options;
    if (!Number.isInteger(sampleSize) || sampleSize < 1 || sampleSize > labels.length) {
      throw new DatasetError(
        'DATASET_SAMPLE_SIZE',
        `the sample size m is ${sampleSize}, expected an integer from 1 to ${labels.length}, the images of the train split`,
      );
    }
    this.options = options;
    this.classStarts = new Int32Array(classCount + 1);
    for (const label of labels) this.classStarts[label + 1]! += 1;
    this.loneClasses = Array.from({ length: classCount }, (_, label) => label).filter(
      (label) => this.classStarts[label + 1] === 1,
    );
    for (let label = 0; label < classCount; label += 1) {
      this.classStarts[label + 1]! += this.classStarts[label]!;
    }
    const next = this.classStarts.slice();
    this.byClass = new Int32Array(labels.length);
    this.places = new Int32Array(labels.length);
    labels.forEach((label, image) => {
      const place = next[label]!;
      next[label] = place + 1;
      this.byClass[place] = image;
      this.places[image] = place;
    });
  }

  /** The m distinct train indices of an iteration, in the order of the rows of U. */
  omega(iteration: number): Int32Array<ArrayBuffer> {
    if (this.drawnOmega?.iteration !== iteration) {
      const { random, labels, sampleSize } = this.options;
      const indices = random.permutation(labels.length, sampleSize, Purpose.omega, iteration, 0);
      this.drawnOmega = { iteration, indices };
    }
    return this.drawnOmega.indices.slice();
  }

  /** Number of steps of one epoch. */
  batches(): number {
    return Math.ceil(this.options.sampleSize / this.options.batchSize);
  }

  /** The triplets of one step; `step` in [0, batches()). */
  batch(iteration: number, epoch: number, step: number): TripletBatch {
    const { batchSize } = this.options;
    const omega = this.omega(iteration);
    const positions = this.epochOrder(iteration, epoch).slice(step * batchSize, (step + 1) * batchSize);
    const anchors = positions.map((position) => omega[position]!);
    const positives = anchors.map((anchor) => this.positive(anchor, iteration, epoch));
    return { positions, anchors, positives };
  }

  private epochOrder(iteration: number, epoch: number): Int32Array<ArrayBuffer> {
    if (this.drawnOrder?.iteration !== iteration || this.drawnOrder.epoch !== epoch) {
      const { random, sampleSize } = this.options;
      const positions = random.permutation(sampleSize, sampleSize, Purpose.order, iteration, epoch);
      this.drawnOrder = { iteration, epoch, positions };
    }
    return this.drawnOrder.positions;
  }

  private positive(anchor: number, iteration: number, epoch: number): number {
    const { random, labels } = this.options;
    const label = labels[anchor]!;
    const start = this.classStarts[label]!;
    const others = this.classStarts[label + 1]! - start - 1;
    if (others === 0) return anchor;
    const chosen = start + random.below(others, Purpose.positive, iteration, epoch, anchor);
    // The anchor's own place is left out: places from there on move up by one.
    return this.byClass[chosen < this.places[anchor]! ? chosen : chosen + 1]!;
  }
}
