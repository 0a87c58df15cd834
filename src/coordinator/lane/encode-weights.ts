import { byteLengthOf } from '../../transport/bytes.js';
import { encodeCoordinatorMessage } from '../../transport/codec.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Range__Output as Range } from '../../transport/generated/fcaenet/v1/Range.js';
import type { Transfer } from '../../transport/generated/fcaenet/v1/Transfer.js';
import { chunksOf } from '../../transport/tensor-stream.js';

/** Weights of one version on their way to workers: all of them, or a range. */
export interface SentWeights {
  readonly term: number;
  readonly version: number;
  /** Null for all weights. */
  readonly part: WeightsPart | null;
}

export interface WeightsPart {
  /** Of words. */
  readonly range: Range;
  /** Whether the worker passes it on to its peers. */
  readonly forward: boolean;
}

/** Transfer ids are the sender's own. A worker has one open weights transfer at a time. */
export function transferIdOf({ version }: Pick<SentWeights, 'version'>): number {
  return version >>> 0;
}

/** The message that announces weights. */
export function announce({ term, version, part }: SentWeights, transfer: Transfer): CoordinatorMessage {
  if (part === null) return { term, weights: { version, transfer } };
  return { term, exchange: { weightsRange: { version, ...part, transfer } } };
}

/**
 * The messages of weights, encoded at once: their announcement and their chunks.
 * @param parts their bytes; copied
 */
export function encodeWeights(sent: SentWeights, parts: readonly Uint8Array[]): Buffer[] {
  const { term } = sent;
  const id = transferIdOf(sent);
  const header = announce(sent, { id, byteLength: byteLengthOf(parts), sharedOffset: 0 });
  const chunks = [...chunksOf(id, parts)].map((chunk) => ({ term, chunk }));
  return [header, ...chunks].map(encodeCoordinatorMessage);
}
