import type { WirePrecision } from '../run/training-run.js';

/**
 * A vector in the form in which it is on the wire, and in which gradients are summed: float32 numbers, or bfloat16
 * numbers as 16-bit words.
 */
export type WireVector = Float32Array | Uint16Array;

/** Array type of the elements. */
const arrayTypes = { float32: Float32Array, bfloat16: Uint16Array } as const;

export function formatOf(vector: WireVector): WirePrecision {
  return vector instanceof Uint16Array ? 'bfloat16' : 'float32';
}

/** Bytes of `length` elements. */
export function wireBytes(precision: WirePrecision, length: number): number {
  return arrayTypes[precision].BYTES_PER_ELEMENT * length;
}

/** A view of `length` elements. `byteOffset` is a multiple of their size. */
export function wireVector(
  precision: WirePrecision,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): WireVector {
  return new arrayTypes[precision](buffer as ArrayBuffer, byteOffset, length);
}
