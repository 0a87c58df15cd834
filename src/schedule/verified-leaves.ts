import { KeyedRandom, Purpose } from '../data/random.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/**
 * The microbatches of a step that are computed twice to compare them. Selected by key, so that a repeated run verifies
 * the same ones.
 * @param rate share of all microbatches, 0 to 1
 */
export function verifiedLeaves(
  random: KeyedRandom,
  rate: number,
  position: { readonly iteration: number; readonly epoch: number; readonly step: number },
  leaves: readonly number[],
  microbatches: number,
): number[] {
  const { iteration, epoch, step } = position;
  return leaves.filter(
    (leaf) => random.unit(Purpose.verification, iteration, epoch, step * microbatches + leaf) < rate,
  );
}

/**
 * The batches of an encode job that are encoded twice to compare them, keyed by positions that no step uses.
 * @param phase counts the encode jobs of one iteration
 */
export function verifiedBatches(
  { seed, schedule, operation }: TrainingRunSpec,
  iteration: number,
  phase: number,
  batches: number,
): number[] {
  return verifiedLeaves(
    new KeyedRandom(seed),
    operation.verification.rate,
    { iteration, epoch: schedule.epochs + phase, step: 0 },
    Array.from({ length: batches }, (_, batch) => batch),
    batches,
  );
}
