import { type KeyedRandom, Purpose } from '../data/random.js';
import type { NetworkLayout, ParameterSpec } from './layout.js';

/** Everything in a network that training changes, as flat vectors in layout order. */
export interface NetworkWeights {
  /** `[parameterCount]` */
  readonly parameters: Float32Array<ArrayBuffer>;
  /** Running means `[statisticsCount]` */
  readonly mean: Float32Array<ArrayBuffer>;
  /** Running variances `[statisticsCount]` */
  readonly variance: Float32Array<ArrayBuffer>;
}

/**
 * Weights before training. Filters are uniform with He's variance 2 / fanOut (He et al. 2015, equation 14). A normal
 * distribution would need a transcendental function, whose bits depend on the machine. BatchNorms are the identity. The
 * hash layer starts like PyTorch's Linear: weight and bias are uniform within ±1/√in.
 */
export function initialWeights(layout: NetworkLayout, random: KeyedRandom): NetworkWeights {
  const parameters = new Float32Array(layout.parameterCount);
  for (const spec of layout.parameters) {
    const values = parameters.subarray(spec.offset, spec.offset + spec.size);
    if (spec.role === 'scale') {
      values.fill(1);
    } else if (spec.role !== 'offset') {
      fillUniform(values, initialBound(spec, layout.head.width), random, spec.offset);
    }
  }
  return {
    parameters,
    mean: new Float32Array(layout.statisticsCount),
    variance: new Float32Array(layout.statisticsCount).fill(1),
  };
}

/** Uniform in [-bound, bound): four values from each block of the generator, keyed by the first value's index. */
function fillUniform(values: Float32Array, bound: number, random: KeyedRandom, offset: number): void {
  const words = new Uint32Array(4);
  for (let i = 0; i < values.length; i++) {
    if (i % 4 === 0) random.block(Purpose.initialWeights, 0, 0, offset + i, words);
    values[i] = bound * (words[i % 4]! / 2 ** 31 - 1);
  }
}

function initialBound(spec: ParameterSpec, hashedWidth: number): number {
  const [height = 1, width = 1, , filters = 1] = spec.shape;
  if (spec.role === 'filter') return Math.sqrt(6 / (height * width * filters));
  // Each output of a depthwise filter uses one channel, so its fan is the window alone.
  if (spec.role === 'depthwiseFilter') return Math.sqrt(6 / (height * width));
  return 1 / Math.sqrt(hashedWidth);
}
