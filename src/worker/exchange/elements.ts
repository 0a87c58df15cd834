import type { WirePrecision } from '../../run/training-run.js';
import { bytesOf, copyBytes } from '../../transport/bytes.js';
import { type WireVector, wireBytes, wireVector } from '../../transport/wire-vector.js';
import type { ElementRange } from './ranges.js';

/** The wire form of a part of a vector, without a copy. */
export function bytesOfElements(vector: WireVector, { start, end }: ElementRange): Uint8Array {
  return bytesOf(vector.subarray(start, end));
}

/** The elements of a received wire form at the start of an aligned buffer, without a copy. */
export function elementsOf(bytes: Uint8Array, precision: WirePrecision): WireVector {
  const length = bytes.byteLength / wireBytes(precision, 1);
  return wireVector(precision, bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
}

/** Puts the wire form of a part of a vector where it belongs. */
export function readElements(vector: WireVector, { start, end }: ElementRange, bytes: Uint8Array): void {
  copyBytes(bytes, bytesOf(vector.subarray(start, end)));
}
