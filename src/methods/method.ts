import type { Matrix } from './matrix.js';
import type { MethodSettings } from './settings.js';

/**
 * What makes the features that the hash layer takes of the backbone's maps: the mean of the last map, the two pyramids of
 * FPH, or the mean of the last map of DaSH's attended picture.
 */
export type NetworkHead = 'pooled' | 'pyramids' | 'saliency';

/** A method that trains the network: what passes through it, what the loss takes, and how codes are made. */
export interface TrainedMethod {
  readonly kind: 'trained';
  /** The head of its network; `parts` is the network of ExchNet, whose branches are in `src/model/exchnet/`. */
  readonly head: NetworkHead | 'parts';
  /** Whether anchors are compared with another image of their class. */
  readonly positives: boolean;
  /** Whether anchors are compared with themselves, the most attended region erased, in a pass of their own. */
  readonly erasing: boolean;
  /**
   * The loss over pairs of images, which the coordinator computes between two passes of a batch; null where a worker
   * computes the loss of its rows by itself (ADSH's, against V).
   */
  readonly pairs: PairLoss | null;
  /** Where database codes come from: V-steps learn them, or they are signs of the network's outputs. */
  readonly databaseCodes: 'learned' | 'network';
  /** V before the first database codes are made, as published: random signs, or 0. */
  readonly firstCodes: 'random' | 'zero';
  /** Terms of the loss that its network adds to ADSH's, in the order in which they are computed, summed and shown. */
  readonly terms: readonly string[];
  /** Weight γ of the quantisation term in the presets; null for theirs. */
  readonly gamma: number | null;
  /** How its publication trains; null where the run file's presets are the publication. */
  readonly published: PublishedTraining | null;
  /** Learning rate with the preset `quick`, whose network begins untrained; null for the preset's own. */
  readonly quickLearningRate: number | null;
}

/** What methods with a loss over pairs share: images pass once, and the network makes all codes. */
export const overPairs = {
  kind: 'trained',
  head: 'pooled',
  positives: false,
  erasing: false,
  databaseCodes: 'network',
  firstCodes: 'zero',
  terms: [],
  gamma: null,
} as const;

/**
 * Training with a loss over pairs where the publication's schedule could not be read. It is the project's: an epoch of the
 * whole train split in each iteration, for a network that begins pretrained.
 */
export const assumedTraining = {
  published: {
    wholeSplit: true,
    sampledOutputs: 'recorded',
    schedule: {
      iterations: 100,
      epochs: 1,
      batchSize: 128,
      learningRate: 0.01,
      decayAfter: [50, 80],
      decayFactor: 0.1,
    },
    optimizer: { momentum: 0.9, weightDecay: 5e-4 },
  },
  quickLearningRate: 0.1,
} as const;

/**
 * A loss over pairs of images. Its value and gradient depend on the outputs of a whole batch, so not on who computes
 * which microbatch. Sums are in float64, in the order of the rows.
 */
export interface PairLoss {
  /** Whether the newest output of every training image is kept, and each row of a batch is paired with all of them. */
  readonly storesOutputs: boolean;
  compute(batch: PairBatch): PairLossResult;
}

/** A batch, and what its loss may depend on. */
export interface PairBatch {
  /**
   * z = W f + b: values of the hash layer before tanh, in train mode `[rows, bits]`; with the head `saliency`
   * `[rows, 2 · bits]`, those of the attended picture and then those of the whole one
   */
  readonly outputs: Float32Array;
  /** Positions in the train split `[rows]` */
  readonly images: Int32Array;
  /** Classes of the train split `[n]` */
  readonly labels: Int32Array;
  /** Training images of each class */
  readonly classSizes: Int32Array;
  readonly bits: number;
  /**
   * The newest output of every training image `[n, bits]`, those of this batch among them; 0 for images that were in
   * none. Null unless the loss stores outputs.
   */
  readonly stored: Float32Array | null;
  /** Optimiser steps of the run before this one. */
  readonly step: number;
  readonly settings: MethodSettings;
}

export interface PairLossResult {
  /** Part of the loss that pairs have. */
  readonly similarity: number;
  /** Part of the loss for outputs that are far from ±1. */
  readonly quantisation: number;
  /** Derivatives of the loss by the outputs, of their shape */
  readonly gradient: Float64Array;
}

/** Settings of training of a publication, as they are named in a run file. */
export interface PublishedTraining {
  /** Whether an iteration goes through the whole train split; else the paper's number of sampled images. */
  readonly wholeSplit: boolean;
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
