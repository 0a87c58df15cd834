import { endianness } from 'node:os';
import { TransportError } from './error.js';

if (endianness() !== 'LE') {
  throw new TransportError(
    'TRANSPORT_BAD_MESSAGE',
    'this machine stores numbers big-endian, but tensors on the wire are little-endian and are not converted',
  );
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * Copies bytes. Into shared memory `set` copies them one by one, unless both sides are aligned in the same way, which takes
 * 20 times as long.
 * @param into has space for them from `offset` on
 */
export function copyBytes(from: Uint8Array, into: Uint8Array, offset = 0): void {
  if (from.byteLength === 0) return;
  const { buffer, byteOffset } = into;
  // Of what can write to shared memory, only `fill` copies as it would copy to other memory.
  Buffer.from(buffer, byteOffset + offset, from.byteLength).fill(from);
}

/** Total bytes of a transfer's parts. */
export function byteLengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}

/** A typed array constructor whose elements can be read from the wire. */
interface ArrayType<T> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBuffer): T;
}

/**
 * Copies bytes, at any offset in their buffer, into an aligned typed array.
 * @throws TransportError when the length is not a multiple of the element size, or not `length` elements
 */
export function arrayFrom<T>(type: ArrayType<T>, bytes: Uint8Array, what: string, length?: number): T {
  const size = type.BYTES_PER_ELEMENT;
  const expected = length === undefined ? undefined : length * size;
  if (bytes.byteLength % size !== 0 || (expected !== undefined && bytes.byteLength !== expected)) {
    throw new TransportError(
      'TRANSPORT_BAD_MESSAGE',
      `${what} has ${bytes.byteLength} bytes, expected ${expected ?? `a multiple of ${size}`}`,
    );
  }
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return new type(copy.buffer);
}
