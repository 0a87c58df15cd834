import { createHash } from 'node:crypto';
import type { Trunk } from '../../src/model/architecture.js';
import { describeNetwork, type ModelLayout } from '../../src/model/layout.js';
import type { NodePayload } from '../../src/reduction/payload.js';
import type { WirePrecision } from '../../src/run/training-run.js';
import { narrow } from '../../src/transport/narrow.js';

export const bits = 8;
const trunk: Trunk = {
  title: 'simulated',
  naming: 'torchvision',
  preprocessing: 'imagenet',
  epsilon: 1e-3,
  layers: [
    {
      kind: 'convolution',
      name: 'conv1',
      batchNorm: 'bn1',
      kernel: 1,
      stride: 1,
      padding: 'same',
      filters: 4,
      activation: 'relu',
    },
  ],
};
/** A network of some dozen parameters: what is simulated is not the arithmetic. */
export const layout: ModelLayout = {
  ...describeNetwork(trunk, { bits, height: 12, width: 16 }),
  settings: { backbone: 'mobilenet_v1', width: 0.25, bits, imageSize: 32 },
};

/** Numbers that look random and depend on nothing but what is given. */
export function numbersFrom(...parts: (string | Uint8Array)[]): () => number {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  const words = new Uint32Array(hash.digest().buffer.slice(0, 32));
  let state = words[0]! || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A microbatch's gradient: any change of what it was computed from changes every number. */
export function madeUpPayload(rows: number, precision: WirePrecision, next: () => number): NodePayload {
  const { batchNorms, statisticsCount, parameterCount } = layout;
  const floats = (length: number, scale: number) =>
    Float32Array.from({ length }, () => scale * (2 * next() - 1));
  const doubles = (length: number) => Float64Array.from({ length }, () => next());
  const gradient = floats(parameterCount, 0.1);
  const rounded = new Uint16Array(parameterCount);
  narrow(gradient, rounded);
  return {
    gradient: precision === 'float32' ? gradient : rounded,
    u: floats(rows * bits, 1),
    losses: doubles(4),
    moments: {
      passes: 1,
      counts: new Float64Array(batchNorms.length).fill(rows),
      mean: doubles(statisticsCount),
      squaredDeviations: doubles(statisticsCount),
    },
  };
}

/** The numerical identity of every worker, without the run's precision. */
export const identity = {
  engine: 'simulated',
  engineVersion: '1',
  instructionSet: 'none',
  buildHash: 'b',
  threadsPerMicrobatch: 1,
  microbatches: 4,
  arithmeticVersion: 1,
  probeSha256: '0'.repeat(64),
};
