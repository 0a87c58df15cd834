import { addInto } from '../../reduction/gradient-vectors.js';
import { bytesOf } from '../../transport/bytes.js';
import type { ElementRange } from './ranges.js';

/** Bytes on the wire of one element of a gradient or of the weights. */
export const elementBytes = 4;

/** The wire form of a part of a vector, without a copy. */
export function bytesOfElements(vector: Float32Array, { start, end }: ElementRange): Uint8Array {
  return bytesOf(vector.subarray(start, end));
}

/** The elements of a received wire form at the start of an aligned buffer, without a copy. */
export function elementsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / elementBytes);
}

/** Puts the wire form of a part of a vector where it belongs. */
export function readElements(vector: Float32Array, { start, end }: ElementRange, bytes: Uint8Array): void {
  bytesOf(vector.subarray(start, end)).set(bytes);
}

/** left = left + right, as every node of the tree is added. */
export function addElements(left: Float32Array, right: Float32Array): void {
  addInto(left, right);
}
