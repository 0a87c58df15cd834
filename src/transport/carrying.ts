import { encodeChunk } from './chunk-field.js';
import { definition } from './definition.js';
import { decodeMessage, frameOf } from './frame.js';
import { framePrefix } from './frames.js';
import type {
  CoordinatorMessage,
  CoordinatorMessage__Output,
} from './generated/fcaenet/v1/CoordinatorMessage.js';
import type { RangesDefinition } from './generated/fcaenet/v1/Ranges.js';
import type { WorkerMessage, WorkerMessage__Output } from './generated/fcaenet/v1/WorkerMessage.js';

const { Scatter, Gather } = definition['fcaenet.v1.Ranges'] as unknown as RangesDefinition;

/** Where a worker takes weights of the coordinator, and where it gives it sums (`:path` of HTTP/2). */
export const scatterPath = Scatter.path;
export const gatherPath = Gather.path;

/** Number of the field `WorkerMessage.chunk`. */
const chunkField = 7;

/**
 * The frame of what the coordinator says.
 * @param isProtected whether TLS guards it; then it has no checksum of its own
 */
export function encodeOrder(message: CoordinatorMessage, isProtected: boolean): Uint8Array[] {
  return frameOf([Scatter.requestSerialize(message)], isProtected);
}

/** The frame of what the coordinator says. @param encoded as `encodeCoordinatorMessage` does, with its checksum */
export function orderFrame(encoded: Uint8Array): Uint8Array[] {
  return [framePrefix(encoded.byteLength), encoded];
}

/** What the coordinator says, without gRPC's prefix. @throws TransportError */
export function decodeOrder(bytes: Buffer, isProtected: boolean): CoordinatorMessage__Output {
  return decodeMessage(bytes, isProtected, Scatter.requestDeserialize);
}

/** The frame of what a worker answers, in pieces. The data of a chunk are one of them, in their own memory. */
export function encodeAnswer(message: WorkerMessage, isProtected: boolean): Uint8Array[] {
  const { chunk } = message;
  return frameOf(chunk ? encodeChunk(chunkField, chunk) : [Gather.responseSerialize(message)], isProtected);
}

/** The inverse of {@link encodeAnswer}, without gRPC's prefix. @throws TransportError */
export function decodeAnswer(bytes: Buffer, isProtected: boolean): WorkerMessage__Output {
  return decodeMessage(bytes, isProtected, Gather.responseDeserialize);
}
