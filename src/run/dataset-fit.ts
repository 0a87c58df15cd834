import { featureMethod } from '../methods/methods.js';
import { leastRowsPerAnchor } from '../methods/passes.js';
import { RunFileError } from './error.js';
import type { DatasetKind, TrainingRun } from './training-run.js';

/**
 * Checks that a run fits its dataset. Fails for another dataset than the run file names, for more samples than training
 * images, and, if the network is trained, for a batch with a microbatch of fewer than two values per BatchNorm channel,
 * which has no variance.
 * @param found the layout of the dataset's folder, and n, the images of its train split
 * @throws RunFileError RUN_DOES_NOT_FIT_DATASET
 */
export function checkDatasetFit(run: TrainingRun, found: { format: DatasetKind; trainCount: number }): void {
  const { dataset, schedule, method, model } = run.spec;
  const { trainCount } = found;
  if (dataset.kind !== null && dataset.kind !== found.format) {
    throw new RunFileError(
      'RUN_DOES_NOT_FIT_DATASET',
      `spec.dataset.kind is ${dataset.kind}, but the folder ${dataset.path} has the layout of ${found.format}`,
    );
  }
  if (dataset.sampleSize > trainCount) {
    throw new RunFileError(
      'RUN_DOES_NOT_FIT_DATASET',
      `spec.dataset.sampleSize is ${dataset.sampleSize}, but the train split has only ${trainCount} images; set it to at most ${trainCount}`,
    );
  }
  if (featureMethod(method)) return;
  // Every backbone halves the picture five times, rounding up.
  const side = Math.ceil(model.imageSize / 32);
  const last = dataset.sampleSize % schedule.batchSize;
  const batches = [Math.min(schedule.batchSize, dataset.sampleSize), last].filter((rows) => rows > 0);
  for (const rows of batches) {
    const smallest = smallestLeaf(rows, schedule.microbatches);
    const values = smallest * leastRowsPerAnchor(run.spec) * side * side;
    if (values < 2) {
      throw new RunFileError(
        'RUN_DOES_NOT_FIT_DATASET',
        `a batch of ${rows} in ${schedule.microbatches} microbatches (spec.schedule.microbatches) gives one with ` +
          `${values} value per BatchNorm channel at ${model.imageSize} pixels, but each needs at least 2`,
      );
    }
  }
}

/** Rows of the smallest microbatch that is not empty: leaf i is rows [⌊iB/M⌋, ⌊(i+1)B/M⌋). */
function smallestLeaf(rows: number, microbatches: number): number {
  return Math.max(1, Math.floor(rows / microbatches));
}
