import { philox4x32 } from './philox.js';

/**
 * Purposes of random numbers. The numbers are part of the arithmetic: changing one changes every result that uses it,
 * so only add purposes.
 */
export const Purpose = {
  /** which training images an iteration samples */
  omega: 1,
  /** the order of the sampled images within an epoch */
  order: 2,
  /** the positive of an anchor */
  positive: 3,
  /** the database codes before the first V-step */
  databaseCodes: 4,
  /** weights that no file provides */
  initialWeights: 5,
  /** the synthetic dataset */
  synthetic: 6,
  /** the microbatch that determines a worker's numerical identity */
  probe: 7,
  /** random projections of untrained features */
  projection: 8,
  /** the queries of a partial evaluation */
  evaluation: 9,
  /** the microbatches that are computed twice to compare them */
  verification: 10,
  /** the view of an anchor's picture in a row of a batch */
  anchorView: 11,
  /** the view of a positive's picture in a row of a batch */
  positiveView: 12,
  /** the rotation that ITQ begins with */
  rotation: 13,
  /** the training images that SDH compares features with */
  anchors: 14,
  /** the local features of an image that are exchanged for those of its class */
  exchange: 15,
  /** the values of a trial of a search */
  trial: 101,
  /** the images of a train split that a search holds out */
  holdOut: 102,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

const twoPow32 = 2 ** 32;
const twoPow53 = 2 ** 53;

/**
 * Random numbers by key instead of by sequence: each depends only on (seed, purpose, iteration, epoch, index). So a
 * resumed run needs no generator state, and the order of work cannot change a result. The key of Philox4x32-10 is the
 * seed, its counter is (index, iteration, epoch, purpose). All four are integers in [0, 2^32).
 */
export class KeyedRandom {
  private readonly key0: number;
  private readonly key1: number;
  private readonly words = new Uint32Array(4);

  /** @param seed integer in [0, 2^53) */
  constructor(readonly seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`the seed is ${seed}, expected an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
    }
    this.key0 = seed >>> 0;
    this.key1 = Math.floor(seed / twoPow32);
  }

  /** Writes the whole block of four independent 32-bit words into `target`. */
  block(purpose: Purpose, iteration: number, epoch: number, index: number, target: Uint32Array): void {
    philox4x32(index, iteration, epoch, purpose, this.key0, this.key1, target);
  }

  /** An integer, uniform in [0, 2^32). */
  word(purpose: Purpose, iteration: number, epoch: number, index: number): number {
    this.block(purpose, iteration, epoch, index, this.words);
    return this.words[0]!;
  }

  /** A multiple of 2^-53, uniform in [0, 1). */
  unit(purpose: Purpose, iteration: number, epoch: number, index: number): number {
    this.block(purpose, iteration, epoch, index, this.words);
    return ((this.words[0]! >>> 5) * 2 ** 26 + (this.words[1]! >>> 6)) / twoPow53;
  }

  /** An integer, uniform in [0, bound). Each value's probability is exact to 2^-53 · bound. */
  below(bound: number, purpose: Purpose, iteration: number, epoch: number, index: number): number {
    return Math.floor(this.unit(purpose, iteration, epoch, index) * bound);
  }

  /**
   * `count` distinct integers of [0, size) in random order: the first part of a Fisher–Yates shuffle whose i-th
   * exchange is keyed by index i.
   */
  permutation(
    size: number,
    count: number,
    purpose: Purpose,
    iteration: number,
    epoch: number,
  ): Int32Array<ArrayBuffer> {
    const items = new Int32Array(size);
    for (let item = 0; item < size; item += 1) items[item] = item;
    for (let place = 0; place < count; place += 1) {
      const other = place + this.below(size - place, purpose, iteration, epoch, place);
      const moved = items[place]!;
      items[place] = items[other]!;
      items[other] = moved;
    }
    return items.slice(0, count);
  }
}
