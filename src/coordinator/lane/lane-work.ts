import { createHash } from 'node:crypto';
import { wireWeightParts } from '../../model/wire-weights.js';
import { isFiniteVector } from '../../reduction/gradient-vectors.js';
import { bytesOf, copyBytes } from '../../transport/bytes.js';
import { widen } from '../../transport/widen.js';
import type { WireVector } from '../../transport/wire-vector.js';
import { encodeWeights } from './encode-weights.js';
import type { Advance, Advanced, Sending } from './lane.js';
import { sgdStep } from './sgd.js';

const none = new Float32Array(0);
const blockElements = 8192;

/** As `Lane.advance`, at once. */
export function advance({ from, into, gradient, source, scalars, sending }: Advance): Advanced {
  if (source) copyBytes(bytesOf(source), bytesOf(gradient));
  if (!isFiniteVector(gradient)) return null;
  sgdStep(from, gradient, scalars, into);
  return sending ? encode(sending, into.parameters, []) : [];
}

/** As `Lane.encode`, at once. */
export function encode(
  { sent, precision }: Sending,
  parameters: Float32Array,
  statistics: readonly Uint8Array[],
): Buffer[] {
  const [bytes] = wireWeightParts({ parameters, mean: none, variance: none }, precision);
  return encodeWeights(sent, [bytes!, ...statistics]);
}

/**
 * The square root of the sum of squares, in float64 and in the order of the elements. So it does not depend on the ranges in which
 * a gradient came.
 */
export function euclideanNorm(vector: WireVector): number {
  let sum = 0;
  const widened = vector instanceof Uint16Array ? new Float32Array(blockElements) : null;
  for (let start = 0; start < vector.length; start += blockElements) {
    const block = vector.subarray(start, start + blockElements);
    const values = widened ? widened.subarray(0, block.length) : (block as Float32Array);
    if (widened) widen(block as Uint16Array, values);
    for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  }
  return Math.sqrt(sum);
}

/** The digest of vectors that come one after the other. */
export class VectorDigest {
  private hash = createHash('sha256');

  add(vector: WireVector, begins: boolean): void {
    if (begins) this.hash = createHash('sha256');
    this.hash.update(bytesOf(vector));
  }

  /** SHA-256 (hex). */
  result(): string {
    return this.hash.digest('hex');
  }
}
