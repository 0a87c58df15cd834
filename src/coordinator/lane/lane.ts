import type { WirePrecision } from '../../run/training-run.js';
import type { WireVector } from '../../transport/wire-vector.js';
import type { SentWeights } from './encode-weights.js';
import type { SgdScalars, TrainedVectors } from './sgd.js';

/** A range of a step: the state before it, the gradient, and where the state after it is written. */
export interface Advance {
  readonly from: TrainedVectors;
  readonly into: TrainedVectors;
  readonly gradient: WireVector;
  /** What the gradient becomes first; null where it is there already. */
  readonly source: WireVector | null;
  readonly scalars: SgdScalars;
  /** How the new parameters of the range are sent; null when they are not sent. */
  readonly sending: Sending | null;
}

/** How weights are sent. */
export interface Sending {
  readonly sent: SentWeights;
  readonly precision: WirePrecision;
}

/** The messages that send a range; null when its gradient has a NaN or an infinity, and nothing was computed. */
export type Advanced = readonly Buffer[] | null;

/**
 * Arithmetic on vectors of the size of the weights, beside the thread that runs the loop. What is asked is done in the
 * order of the calls, separately for the digest and for the rest. Vectors that it gets lie in memory of {@link allocate}
 * and do not change until it has answered.
 * Each promise rejects with CoordinatorError COORDINATOR_LANE when the lane has ended.
 */
export interface Lane {
  /** Memory for vectors, filled with zeros. */
  allocate(byteLength: number): ArrayBufferLike;
  /** Computes a range of the next state. */
  advance(range: Advance): Promise<Advanced>;
  /**
   * The messages that send weights.
   * @param statistics what follows the parameters, as bytes; copied
   */
  encode(
    sending: Sending,
    parameters: Float32Array,
    statistics: readonly Uint8Array[],
  ): Promise<readonly Buffer[]>;
  copy(from: Float32Array, into: Float32Array): Promise<void>;
  /** As `euclideanNorm`. */
  norm(vector: WireVector): Promise<number>;
  /**
   * Adds a vector to the digest.
   * @param begins whether it is the first one of a new digest
   */
  hash(vector: WireVector, begins: boolean): void;
  /** SHA-256 (hex) of what was added. */
  digest(): Promise<string>;
  close(): Promise<void>;
}
