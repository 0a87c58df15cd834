import { imagesPerAnchor } from '../methods/methods.js';
import { ReductionTree } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { assignLeaves } from '../schedule/assignment.js';
import type { RunWork } from './work.js';

/** Speed of one device per second. */
export interface Speed {
  /** forward and backward */
  readonly trainedImagesPerSecond: number;
  /** forward only */
  readonly encodedImagesPerSecond: number;
}

/** A forward pass takes a third of the time of forward and backward. */
export const forwardAdvantage = 3;

/** The speed of a device of which only the training speed is known. */
export function givenSpeed(trainedImagesPerSecond: number): Speed {
  return { trainedImagesPerSecond, encodedImagesPerSecond: forwardAdvantage * trainedImagesPerSecond };
}

/** A number of workers is shown when it takes less than this share of the previous one's time. */
const worthwhile = 0.8;

/**
 * Numbers of workers that each make a step noticeably shorter than the previous number. The slowest device determines a
 * step, and microbatches are not divided: with eight microbatches, five workers of one device are not faster than four.
 * The last number is the largest useful one.
 * @param devices of each worker
 */
export function usefulWorkers({ schedule }: TrainingRunSpec, devices: number): number[] {
  const leaves = new ReductionTree(schedule.batchSize, schedule.microbatches).leaves.length;
  const useful = [1];
  const roundsOf = (workers: number) => Math.ceil(leaves / (workers * devices));
  for (let workers = 2; roundsOf(workers - 1) > 1; workers++) {
    const rounds = roundsOf(workers);
    const before = roundsOf(useful.at(-1)!);
    if (rounds <= worthwhile * before || rounds === 1) useful.push(workers);
  }
  return useful;
}

/** Seconds of computing on this number of equal devices, without the coordinator's V-steps and rankings. */
export function computeSeconds(
  spec: TrainingRunSpec,
  work: RunWork,
  speed: Speed,
  devices: number,
): { readonly training: number; readonly encoding: number } {
  const epochs = spec.schedule.iterations * spec.schedule.epochs;
  const images = work.batches.reduce((sum, rows) => sum + largestShare(spec, rows, devices), 0);
  return {
    training: (epochs * images * imagesPerAnchor(spec.method)) / speed.trainedImagesPerSecond,
    encoding: work.encodedImages / (devices * speed.encodedImagesPerSecond),
  };
}

/** Anchors of the device with the largest share. */
function largestShare({ schedule }: TrainingRunSpec, rows: number, devices: number): number {
  const tree = new ReductionTree(rows, schedule.microbatches);
  const places = Array.from({ length: devices }, (_, device) => device);
  const shares = assignLeaves(tree.leaves, places).map(({ leaves }) =>
    leaves.reduce((sum, leaf) => sum + tree.rowCount(leaf), 0),
  );
  return Math.max(...shares);
}
