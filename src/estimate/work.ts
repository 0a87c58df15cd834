import { KeyedRandom } from '../data/random.js';
import {
  featureMethod,
  imagesPerAnchor,
  networkHead,
  networkMakesDatabase,
  pairLoss,
} from '../methods/methods.js';
import { ReductionTree } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { anchorsAreMade } from '../schedule/schedule.js';
import { verifiedLeaves } from '../schedule/verified-leaves.js';

/** The counts of a dataset that determine the size of a run. */
export interface DatasetCounts {
  readonly classes: number;
  /** n, images of the database */
  readonly train: number;
  /** queries */
  readonly test: number;
}

/** The computations of a run. */
export interface RunWork {
  /** optimiser steps */
  readonly steps: number;
  /** Anchors of each batch of one epoch. All are equal except the last, which may be smaller. */
  readonly batches: readonly number[];
  readonly anchors: number;
  /** images that pass forward and backward: anchors, positives and erased anchors */
  readonly trainedImages: number;
  /** images that pass forward only, for database codes, evaluations, and before a loss over pairs */
  readonly encodedImages: number;
}

/** Microbatches of one step that two workers compute. */
export interface ComparedLeaves {
  /** of the batch */
  readonly rows: number;
  readonly leaves: readonly number[];
}

/** Counts the work of a run from its first step to its last evaluation. */
export function countWork(spec: TrainingRunSpec, counts: DatasetCounts): RunWork {
  const { schedule, dataset, method } = spec;
  const last = dataset.sampleSize % schedule.batchSize;
  const batches = new Array<number>(Math.floor(dataset.sampleSize / schedule.batchSize)).fill(
    schedule.batchSize,
  );
  if (last > 0) batches.push(last);
  const epochs = schedule.iterations * schedule.epochs;
  const anchors = epochs * dataset.sampleSize;
  return {
    steps: epochs * batches.length,
    batches,
    anchors,
    trainedImages: anchors * imagesPerAnchor(method),
    encodedImages:
      encodedForFirstCodes(spec, counts) +
      encodedSamples(spec, counts) +
      encodedForAnchors(spec, counts) +
      encodedQueries(spec, counts) +
      encodedForUntrained(spec, counts) +
      (pairLoss(method) ? anchors : 0),
  };
}

/** The microbatches of a run that two workers compute, step by step. They are selected by key, so they are known. */
export function comparedLeaves(spec: TrainingRunSpec, { batches }: RunWork): readonly ComparedLeaves[] {
  const { schedule, operation, seed } = spec;
  const { rate } = operation.verification;
  if (rate === 0) return [];
  const random = new KeyedRandom(seed);
  const trees = batches.map((rows) => new ReductionTree(rows, schedule.microbatches));
  const compared: ComparedLeaves[] = [];
  for (let iteration = 0; iteration < schedule.iterations; iteration++) {
    for (let epoch = 0; epoch < schedule.epochs; epoch++) {
      for (const [step, rows] of batches.entries()) {
        const position = { iteration, epoch, step };
        const leaves = verifiedLeaves(random, rate, position, trees[step]!.leaves, schedule.microbatches);
        if (leaves.length > 0) compared.push({ rows, leaves });
      }
    }
  }
  return compared;
}

/** Images of the train split whose features the first V is made from. */
export function encodedForFirstCodes({ firstCodes }: TrainingRunSpec, { train }: DatasetCounts): number {
  return firstCodes === 'class-means' ? train : 0;
}

/** Number of evaluated iterations: every so many, and always the last. */
export function evaluations({ schedule, operation }: TrainingRunSpec): number {
  return Math.ceil(schedule.iterations / operation.evaluation.every);
}

/**
 * Images of the train split that are encoded: sampled ones for V-steps, all for a method on features, and all at each
 * evaluation where the network makes the database codes.
 */
export function encodedSamples(spec: TrainingRunSpec, { train }: DatasetCounts): number {
  const { method, sampledOutputs, schedule, dataset } = spec;
  if (featureMethod(method)) return train;
  if (networkMakesDatabase(method)) return evaluations(spec) * train;
  return sampledOutputs === 'encoded' ? schedule.iterations * dataset.sampleSize : 0;
}

/** Images of the train split that are encoded for the features of the classes, where those are exchanged. */
export function encodedForAnchors(spec: TrainingRunSpec, { train }: DatasetCounts): number {
  if (networkHead(spec.method) !== 'parts') return 0;
  const iterations = Array.from({ length: spec.schedule.iterations }, (_, iteration) => iteration);
  return train * iterations.filter((iteration) => anchorsAreMade(spec, iteration)).length;
}

/** Queries of all evaluations. The last one uses all queries. */
export function encodedQueries(spec: TrainingRunSpec, { test }: DatasetCounts): number {
  const { maxQueries } = spec.operation.evaluation;
  return (evaluations(spec) - 1) * Math.min(maxQueries ?? test, test) + test;
}

/** Colour histograms and features of every image, where the run measures what needs no training. */
function encodedForUntrained(spec: TrainingRunSpec, { train, test }: DatasetCounts): number {
  return spec.operation.evaluation.untrained ? 2 * (train + test) : 0;
}
