import { KeyedRandom, Purpose } from '../../data/random.js';
import type { MethodRandom } from '../../methods/method.js';

const purposes = {
  hyperplanes: Purpose.projection,
  rotation: Purpose.rotation,
  codes: Purpose.databaseCodes,
} as const;

/** The random numbers of methods on features, keyed by the run's seed. */
export function methodRandom(seed: number): MethodRandom {
  const random = new KeyedRandom(seed);
  return {
    uniform: (stream, index) => random.unit(purposes[stream], 0, 0, index),
    choose: (size, count) => random.permutation(size, count, Purpose.anchors, 0, 0),
  };
}
