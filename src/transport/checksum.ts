import { crc32 } from '@node-rs/crc32';
import { TransportError } from './error.js';

/** Field 15 of a message, fixed32. It is encoded last and takes five bytes. */
const tag = (15 << 3) | 5;
const fieldBytes = 5;

/** A message with this field is encoded with space for the checksum at its end. */
export const emptyChecksum = { checksum: 0 } as const;

/**
 * Writes the checksum into an encoded message that has space for it ({@link emptyChecksum}).
 * @param bytes changed in place
 */
export function writeChecksum(bytes: Buffer): Buffer {
  const end = bytes.byteLength - fieldBytes;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end + 1);
  return bytes;
}

/** The field with the checksum of a message that is encoded without it, in pieces. */
export function checksumOf(pieces: readonly Uint8Array[]): Buffer {
  const field = Buffer.alloc(fieldBytes, tag);
  field.writeUInt32LE(
    pieces.reduce((checksum, piece) => crc32(piece, checksum), 0),
    1,
  );
  return field;
}

/**
 * Checks the checksum of a received message. TLS and TCP protect the bytes on the wire. The checksum protects the rest
 * of the way between the two programs, for example a proxy or a faulty network card.
 * @throws TransportError TRANSPORT_DAMAGED
 */
export function verifyChecksum(bytes: Buffer): Buffer {
  const end = bytes.byteLength - fieldBytes;
  if (end < 0 || bytes[end] !== tag) {
    throw new TransportError('TRANSPORT_DAMAGED', `a message of ${bytes.byteLength} bytes has no checksum`);
  }
  const [found, expected] = [crc32(bytes.subarray(0, end)), bytes.readUInt32LE(end + 1)];
  if (found !== expected) {
    throw new TransportError(
      'TRANSPORT_DAMAGED',
      `a message of ${bytes.byteLength} bytes is damaged: its checksum is ${hex(found)}, expected ${hex(expected)}`,
    );
  }
  return bytes;
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
