import protobuf from 'protobufjs';
import { checksumOf, verifyChecksum } from './checksum.js';
import { definition } from './definition.js';
import { TransportError } from './error.js';
import { framePrefix } from './frames.js';
import type { Chunk } from './generated/fcaenet/v1/Chunk.js';
import type { PeeringDefinition } from './generated/fcaenet/v1/Peering.js';
import type { PeerMessage, PeerMessage__Output } from './generated/fcaenet/v1/PeerMessage.js';

const { Send } = definition['fcaenet.v1.Peering'] as unknown as PeeringDefinition;

/** Where a peer takes messages (`:path` of HTTP/2). */
export const peeringPath = Send.path;

/** Bytes that a worker may send ahead of a peer's reading. */
export const peerReceiveWindow = 4 << 20;

/**
 * Silence after which a connection is lost: that after which a worker gives up the coordinator. A thread that does nothing
 * else answers pings, however long the worker computes and however long a range has to wait. What delays an answer is
 * the data before it, up to a window of 4 MiB, and where processors are scarce the other peers' data, too.
 */
export const peerSilenceMs = 12_000;

/** The wire form of a message that the coordinator relays: without checksum. */
export function encodePeerMessage(message: PeerMessage): Buffer {
  return Send.requestSerialize(message);
}

/** The inverse of {@link encodePeerMessage}. Throws what the decoder throws on other bytes. */
export function decodePeerMessage(bytes: Uint8Array): PeerMessage__Output {
  return Send.requestDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/**
 * A message as it is on a stream between workers, in pieces. The data of a chunk are one of them, in their own memory:
 * gRPC's encoder would copy them twice.
 * @param isProtected whether TLS guards it; then it has no checksum of its own
 */
export function encodeFrame(message: PeerMessage, isProtected: boolean): Uint8Array[] {
  const { chunk } = message;
  const encoded = chunk ? encodeChunk(chunk) : [encodePeerMessage(message)];
  const pieces = isProtected ? encoded : [...encoded, checksumOf(encoded)];
  return [framePrefix(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)), ...pieces];
}

/** The inverse of {@link encodeFrame}, without gRPC's prefix. @throws TransportError */
export function decodeFrame(bytes: Buffer, isProtected: boolean): PeerMessage__Output {
  const checked = isProtected ? bytes : verifyChecksum(bytes);
  try {
    return Send.requestDeserialize(checked);
  } catch (cause) {
    const sentence = `a message cannot be decoded (${String(cause)})`;
    throw new TransportError('TRANSPORT_BAD_MESSAGE', sentence, { cause });
  }
}

/** Tags of fields: `PeerMessage.chunk`, and those of `Chunk`. */
const tags = { chunk: (4 << 3) | 2, transfer: 1 << 3, offset: 2 << 3, data: (3 << 3) | 2 } as const;

/** A PeerMessage with a chunk: what is before its data, and its data. */
function encodeChunk({ transfer = 0, offset = 0, data = '' }: Chunk): Uint8Array[] {
  const bytes = data as Uint8Array;
  const fields = protobuf.Writer.create()
    .uint32(tags.transfer)
    .uint32(transfer)
    .uint32(tags.offset)
    .uint64(Number(offset))
    .uint32(tags.data)
    .uint32(bytes.byteLength)
    .finish();
  const head = protobuf.Writer.create()
    .uint32(tags.chunk)
    .uint32(fields.byteLength + bytes.byteLength)
    .finish();
  return [Buffer.concat([head, fields]), bytes];
}
