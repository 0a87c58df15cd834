import { type KeyedRandom, Purpose } from '../data/random.js';

/**
 * The microbatches of a step that are computed twice on purpose. Keyed like every choice, so that a run repeated is
 * verified at the same places.
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
