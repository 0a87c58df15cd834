import type { Matrix } from './matrix.js';
import type { MethodSettings } from './settings.js';

/** A method that trains the network: ADSH's loss and V-step, and the branches that its anchors are compared with. */
export interface TrainedMethod {
  readonly kind: 'trained';
  /** Whether anchors are compared with another image of their class. */
  readonly positives: boolean;
  /** Whether anchors are compared with themselves, the most attended region erased, in a second forward pass. */
  readonly erasing: boolean;
  /** V before the first V-step: random signs, or 0. */
  readonly firstCodes: 'random' | 'zero';
  /** How its publication trains; null where the run file's presets are the publication. */
  readonly published: PublishedTraining | null;
}

/** Settings of training of a publication, as they are named in a run file. */
export interface PublishedTraining {
  readonly sampledOutputs: 'encoded' | 'recorded';
  readonly schedule: {
    readonly iterations: number;
    readonly epochs: number;
    readonly batchSize: number;
    readonly learningRate: number;
    readonly decayAfter: readonly number[];
    readonly decayFactor: number;
  };
  readonly optimizer: { readonly momentum: number; readonly weightDecay: number };
}

/** A method that learns a hash function from features of the network, and trains no network. */
export interface FeatureMethod {
  readonly kind: 'features';
  /** Loads what learns and applies the hash function, and with it the linear algebra. */
  readonly load: () => Promise<FeatureHashing>;
}

/** Learns and applies hash functions of features. Equal arguments give equal bits. */
export interface FeatureHashing {
  /** @throws MethodError `METHOD_RANK` when the features vary in too few directions */
  learn(training: FeatureTraining): HashFunction;
  /**
   * @param features `[n, dimension]`
   * @returns codes ±1 `[n, bits]`
   */
  hash(learned: HashFunction, features: Float32Array): Int8Array<ArrayBuffer>;
}

/** What a hash function is learned from. */
export interface FeatureTraining {
  /** Of the images of the train split, in its order `[n, dimension]` */
  readonly features: Float32Array;
  readonly dimension: number;
  /** Classes of the images `[n]` */
  readonly labels: Int32Array;
  readonly classCount: number;
  readonly bits: number;
  readonly settings: MethodSettings;
  readonly random: MethodRandom;
}

/** A learned hash function, as named matrices that a checkpoint can hold. */
export type HashFunction = Readonly<Record<string, Matrix>>;

/** The keyed random numbers of a run, as far as methods use them. */
export interface MethodRandom {
  /** The number at an index of a stream, uniform in [0, 1). */
  uniform(stream: 'hyperplanes' | 'rotation' | 'codes', index: number): number;
  /** `count` distinct integers of [0, size) in random order. */
  choose(size: number, count: number): Int32Array;
}
