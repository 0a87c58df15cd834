import { crc32 } from 'node:zlib';
import { TransportError } from './error.js';

/** Field 15 of a message, fixed32: the one that is encoded last, in five bytes. */
const tag = (15 << 3) | 5;
const fieldBytes = 5;

/** Has a message's encoder leave room for the checksum. */
export const unsealed = { checksum: 0 } as const;

/**
 * Writes the checksum into an encoded message that ends with room for one ({@link unsealed}).
 * @param bytes changed in place
 */
export function seal(bytes: Buffer): Buffer {
  const end = bytes.byteLength - fieldBytes;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end + 1);
  return bytes;
}

/**
 * Checks an encoded message as it arrived. TLS and TCP guard what is on the wire; this guards everything between the two
 * programs, such as a proxy or a faulty network card.
 * @throws TransportError TRANSPORT_DAMAGED
 */
export function checkSeal(bytes: Buffer): Buffer {
  const end = bytes.byteLength - fieldBytes;
  if (end < 0 || bytes[end] !== tag) {
    throw new TransportError(
      'TRANSPORT_DAMAGED',
      `a message of ${bytes.byteLength} bytes came without a checksum`,
    );
  }
  const [found, expected] = [crc32(bytes.subarray(0, end)), bytes.readUInt32LE(end + 1)];
  if (found !== expected) {
    throw new TransportError(
      'TRANSPORT_DAMAGED',
      `a message of ${bytes.byteLength} bytes arrived damaged: its checksum is ${hex(found)}, expected ${hex(expected)}`,
    );
  }
  return bytes;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
