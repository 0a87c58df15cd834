import { KeyedRandom, Purpose } from '../data/random.js';
import { methodSettings } from '../methods/settings.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/**
 * The parts whose local features images take from their classes in an epoch (ExchNet's equation 8), drawn by key.
 * @param images positions in the train split `[rows]`
 * @returns bit j for part j `[rows]`
 */
export function exchangedParts(
  { seed, exchnet }: Pick<TrainingRunSpec, 'seed' | 'exchnet'>,
  { iteration, epoch }: { readonly iteration: number; readonly epoch: number },
  images: Int32Array,
): Uint32Array {
  const random = new KeyedRandom(seed);
  // Not of the run's number of parts, so that more parts do not change the draws of the others.
  const most = methodSettings.exchnet.parts.most;
  return Uint32Array.from(images, (image) => {
    let bits = 0;
    for (let part = 0; part < exchnet.parts; part++) {
      const draw = random.unit(Purpose.exchange, iteration, epoch, image * most + part);
      if (draw < exchnet.exchange) bits |= 1 << part;
    }
    return bits;
  });
}
