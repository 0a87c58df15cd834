import type { TripletSampler } from '../data/sampler.js';
import { batchSha256, type LedgerStep } from '../ledger/entry.js';
import { LedgerError } from '../ledger/error.js';
import { usesPositives } from '../methods/methods.js';
import { ReductionTree } from '../reduction/tree.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { leafImages } from '../schedule/leaf-images.js';
import { advance, startPosition } from '../schedule/schedule.js';

/**
 * Computes every step's samples from the run's keys again and compares. On success: the steps are complete and in
 * order, each used the samples that the keys select, and in each epoch every sample of its iteration's Omega was an
 * anchor exactly once.
 * @throws LedgerError LEDGER_STEP, LEDGER_SAMPLES or LEDGER_UNFINISHED, naming the first wrong step
 */
export function proveSamples(
  spec: TrainingRunSpec,
  sampler: Pick<TripletSampler, 'batch' | 'batches'>,
  steps: readonly LedgerStep[],
): void {
  const { iterations, epochs, microbatches } = spec.schedule;
  const perEpoch = sampler.batches();
  const total = iterations * epochs * perEpoch;
  const withPositives = usesPositives(spec.method);
  let position = startPosition;
  let term = 0;
  let seen = new Uint8Array(spec.dataset.sampleSize);
  for (const [index, entry] of steps.entries()) {
    if (index === total) {
      throw new LedgerError(
        'LEDGER_STEP',
        `the ledger has step ${index + 1}, but the run has ${total} steps`,
      );
    }
    for (const field of ['iteration', 'epoch', 'step', 'globalStep'] as const) {
      if (entry[field] === position[field]) continue;
      throw new LedgerError(
        'LEDGER_STEP',
        `step ${index + 1} has ${field} ${entry[field]} in the ledger, expected ${position[field]}`,
      );
    }
    if (entry.term < term) {
      throw new LedgerError(
        'LEDGER_STEP',
        `step ${index + 1} was done under term ${entry.term}, after a step of term ${term}`,
      );
    }
    term = entry.term;
    const batch = sampler.batch(position.iteration, position.epoch, position.step);
    const tree = new ReductionTree(batch.anchors.length, microbatches);
    const rows = tree.leaves.map((leaf) => tree.rowCount(leaf));
    const expected = batchSha256(leafImages(tree, batch, withPositives));
    if (JSON.stringify(entry.leaves) !== JSON.stringify(rows)) {
      throw new LedgerError(
        'LEDGER_SAMPLES',
        `step ${index + 1} used microbatches of ${entry.leaves.join(', ')} rows, expected ${rows.join(', ')}`,
      );
    }
    if (entry.batch !== expected) {
      throw new LedgerError(
        'LEDGER_SAMPLES',
        `step ${index + 1} used samples with digest ${entry.batch}, but the run's keys select ${expected}`,
      );
    }
    for (const row of batch.positions) {
      if (seen[row] === 1) {
        throw new LedgerError(
          'LEDGER_SAMPLES',
          `step ${index + 1} used sample ${row} of its epoch a second time`,
        );
      }
      seen[row] = 1;
    }
    position = advance(position, perEpoch);
    if (position.step === 0) {
      const unused = seen.indexOf(0);
      if (unused >= 0) {
        throw new LedgerError(
          'LEDGER_SAMPLES',
          `sample ${unused} was not used in the epoch that step ${index + 1} ends`,
        );
      }
      seen = new Uint8Array(spec.dataset.sampleSize);
      if (position.epoch === epochs) position = { ...position, iteration: position.iteration + 1, epoch: 0 };
    }
  }
  if (steps.length < total) {
    throw new LedgerError(
      'LEDGER_UNFINISHED',
      `the ledger ends after ${steps.length} of the run's ${total} steps`,
    );
  }
}
