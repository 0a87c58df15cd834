import { createHash } from 'node:crypto';
import { wireWeightParts } from '../../model/wire-weights.js';
import { isFiniteVector } from '../../reduction/gradient-vectors.js';
import { bytesOf } from '../../transport/bytes.js';
import type { WireVector } from '../../transport/wire-vector.js';
import { encodeWeights } from './encode-weights.js';
import type { Advance, Advanced, Sending } from './lane.js';
import { sgdStep } from './sgd.js';

const none = new Float32Array(0);

/** As `Lane.advance`, at once. */
export function advance({ from, into, gradient, scalars, sending }: Advance): Advanced {
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
