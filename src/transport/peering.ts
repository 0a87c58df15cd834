import { encodeChunk } from './chunk-field.js';
import { definition } from './definition.js';
import { decodeMessage, frameOf } from './frame.js';
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
  return frameOf(chunk ? encodeChunk(chunkField, chunk) : [encodePeerMessage(message)], isProtected);
}

/** The inverse of {@link encodeFrame}, without gRPC's prefix. @throws TransportError */
export function decodeFrame(bytes: Buffer, isProtected: boolean): PeerMessage__Output {
  return decodeMessage(bytes, isProtected, Send.requestDeserialize);
}

/** Number of the field `PeerMessage.chunk`. */
const chunkField = 4;
