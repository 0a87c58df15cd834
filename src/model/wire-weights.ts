import type { WirePrecision } from '../run/training-run.js';
import { bytesOf } from '../transport/bytes.js';
import { narrow } from '../transport/narrow.js';
import { type WireVector, wireBytes, wireVector } from '../transport/wire-vector.js';
import type { NetworkLayout } from './layout.js';

/** Parameters, running means and running variances, as flat vectors in layout order. */
export interface WireWeights<Parameters extends WireVector = WireVector> {
  /** `[parameterCount]` */
  readonly parameters: Parameters;
  /** `[statisticsCount]`, float32 in every precision: they are too few to matter on the wire. */
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** Bytes of a set of weights on the wire. Only the parameters have the wire's precision. */
export function wireWeightBytes(layout: NetworkLayout, precision: WirePrecision): number {
  return wireBytes(precision, layout.parameterCount) + 2 * wireBytes('float32', layout.statisticsCount);
}

/** The weights that a worker computes with: the parameters in the precision of the wire. */
export function weightsAsSent(
  { parameters, mean, variance }: WireWeights<Float32Array>,
  precision: WirePrecision,
): WireWeights {
  return { parameters: inPrecision(parameters, precision), mean, variance };
}

/** A set of weights as it is sent. Parts that are not rounded are views. */
export function wireWeightParts(weights: WireWeights<Float32Array>, precision: WirePrecision): Uint8Array[] {
  const { parameters, mean, variance } = weightsAsSent(weights, precision);
  return [parameters, mean, variance].map(bytesOf);
}

/** Reads `wireWeightBytes` bytes at the start of an aligned buffer. The parameters are a view. */
export function weightsFromWire(
  bytes: Uint8Array,
  layout: NetworkLayout,
  precision: WirePrecision,
): WireWeights {
  const { parameterCount, statisticsCount } = layout;
  const buffer = bytes.buffer as ArrayBuffer;
  const meanOffset = bytes.byteOffset + wireBytes(precision, parameterCount);
  const length = wireBytes('float32', statisticsCount);
  // Copies: behind an odd number of bfloat16 numbers they are not aligned.
  const statistics = (offset: number) => new Float32Array(buffer.slice(offset, offset + length));
  return {
    parameters: wireVector(precision, buffer, bytes.byteOffset, parameterCount),
    mean: statistics(meanOffset),
    variance: statistics(meanOffset + length),
  };
}

function inPrecision(values: Float32Array, precision: WirePrecision): WireVector {
  if (precision === 'float32') return values;
  const rounded = new Uint16Array(values.length);
  narrow(values, rounded);
  return rounded;
}
