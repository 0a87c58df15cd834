import type { WireVector } from '../../transport/wire-vector.js';
import type { Advance, Advanced, Lane, Sending } from './lane.js';
import { advance, encode, euclideanNorm, VectorDigest } from './lane-work.js';

/** A lane in the caller's thread: for vectors that are too short for a thread, and for simulations. */
export class DirectLane implements Lane {
  private readonly vectors = new VectorDigest();

  allocate(byteLength: number): ArrayBuffer {
    return new ArrayBuffer(byteLength);
  }

  async advance(range: Advance): Promise<Advanced> {
    return advance(range);
  }

  async encode(
    sending: Sending,
    parameters: Float32Array,
    statistics: readonly Uint8Array[],
  ): Promise<readonly Buffer[]> {
    return encode(sending, parameters, statistics);
  }

  async copy(from: Float32Array, into: Float32Array): Promise<void> {
    into.set(from);
  }

  async norm(vector: WireVector): Promise<number> {
    return euclideanNorm(vector);
  }

  hash(vector: WireVector, begins: boolean): void {
    this.vectors.add(vector, begins);
  }

  async digest(): Promise<string> {
    return this.vectors.result();
  }

  async close(): Promise<void> {}
}
