import { checksumOf, verifyChecksum } from './checksum.js';
import { TransportError } from './error.js';
import { framePrefix } from './frames.js';

/** Bytes that a message may have, after the hello. */
export const mostMessageBytes = 4 << 20;

/**
 * The frame of a message on a stream to a worker, in pieces.
 * @param encoded the message without its checksum
 * @param isProtected whether TLS guards it; then it has no checksum of its own
 */
export function frameOf(encoded: readonly Uint8Array[], isProtected: boolean): Uint8Array[] {
  const pieces: readonly Uint8Array[] = isProtected ? encoded : [...encoded, checksumOf(encoded)];
  return [framePrefix(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)), ...pieces];
}

/**
 * The message of such a frame.
 * @param bytes without gRPC's prefix
 * @throws TransportError
 */
export function decodeMessage<Message>(
  bytes: Buffer,
  isProtected: boolean,
  deserialize: (bytes: Buffer) => Message,
): Message {
  const checked = isProtected ? bytes : verifyChecksum(bytes);
  try {
    return deserialize(checked);
  } catch (cause) {
    const sentence = `a message cannot be decoded (${String(cause)})`;
    throw new TransportError('TRANSPORT_BAD_MESSAGE', sentence, { cause });
  }
}
