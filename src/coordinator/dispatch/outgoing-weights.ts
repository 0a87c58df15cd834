import type { CodeSummary } from '../../hashing/similarity.js';
import { wireWeightParts } from '../../model/wire-weights.js';
import type { WirePrecision } from '../../run/training-run.js';
import { byteLengthOf, bytesOf } from '../../transport/bytes.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Range__Output as Range } from '../../transport/generated/fcaenet/v1/Range.js';
import { encodeCoordinatorMessage } from '../../transport/service.js';
import { chunksOf } from '../../transport/tensor-stream.js';
import { wireBytes } from '../../transport/wire-vector.js';
import type { Member } from './member.js';

/** Weights and running statistics, as flat vectors in the layout's order. */
export interface FlatWeights {
  readonly parameters: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** One version of the weights that is sent to the workers. */
export class OutgoingWeights {
  /** Transfer ids are the sender's own. A worker has one open weights transfer at a time. */
  private readonly id: number;
  /** Null before they are sent for the first time. */
  private wired: readonly Uint8Array[] | null = null;
  private encoded: readonly Buffer[] | null = null;

  /** @param weights not copied: they must not change until their step or encode job is over */
  constructor(
    private readonly term: number,
    readonly version: number,
    private readonly weights: FlatWeights,
    private readonly precision: WirePrecision,
  ) {
    this.id = version >>> 0;
  }

  /**
   * Sends the weights to a worker that does not have them yet: through shared memory if possible, else in chunks that
   * are encoded once for all workers.
   * @returns resolves when they are handed to its stream
   */
  sendTo(member: Member): Promise<void> {
    if (member.weightsVersion === this.version) return Promise.resolve();
    member.weightsVersion = this.version;
    const sharedOffset = member.share(this.id, this.parts);
    if (sharedOffset !== null) return member.outbox.send(this.header(sharedOffset));
    this.encoded ??= this.encode();
    return member.outbox.sendAll(this.encoded);
  }

  /** Number of words: elements of parameters in the wire's precision, and as many bytes each of means and variances. */
  get words(): number {
    return byteLengthOf(this.parts) / this.wordBytes;
  }

  /**
   * Sends parts of the weights.
   * @param ranges of words
   * @param forward whether the worker passes them on to its peers
   */
  sendRanges(member: Member, ranges: readonly Range[], forward: boolean): void {
    const { term, version } = this;
    for (const range of ranges)
      sendRange(member, { term, version, range, forward, parts: this.bytesIn(range) });
  }

  /** The bytes of some words, cut where the parts are. */
  private bytesIn({ start, end }: Range): Uint8Array[] {
    let before = 0;
    return this.parts.flatMap((part) => {
      const [from, to] = [start, end].map((at) =>
        Math.min(Math.max(at * this.wordBytes - before, 0), part.byteLength),
      ) as [number, number];
      before += part.byteLength;
      return to > from ? [part.subarray(from, to)] : [];
    });
  }

  /** A part of the next version: some parameters, as they are on the wire. */
  following(parameters: Float32Array): WeightsAhead {
    const empty = new Float32Array(0);
    const [bytes] = wireWeightParts({ parameters, mean: empty, variance: empty }, this.precision);
    return { term: this.term, version: this.version + 1, words: this.words, bytes: bytes! };
  }

  /** Bytes of a word. */
  get wordBytes(): number {
    return wireBytes(this.precision, 1);
  }

  private get parts(): readonly Uint8Array[] {
    this.wired ??= wireWeightParts(this.weights, this.precision);
    return this.wired;
  }

  private header(sharedOffset: number): CoordinatorMessage {
    const transfer = { id: this.id, byteLength: byteLengthOf(this.parts), sharedOffset };
    return { term: this.term, weights: { version: this.version, transfer } };
  }

  private encode(): Buffer[] {
    const chunks = [...chunksOf(this.id, this.parts)].map((chunk) => ({ term: this.term, chunk }));
    return [this.header(0), ...chunks].map(encodeCoordinatorMessage);
  }
}

/** Some parameters of weights that are not complete yet. */
export interface WeightsAhead {
  readonly term: number;
  readonly version: number;
  /** Of the complete weights. */
  readonly words: number;
  readonly bytes: Uint8Array;
}

/** Sends a range of weights. Encodes it at once: the weights may change before a slow stream takes the last chunk. */
export function sendRange(
  member: Member,
  what: {
    readonly term: number;
    readonly version: number;
    readonly range: Range;
    readonly forward: boolean;
    readonly parts: readonly Uint8Array[];
  },
): void {
  const { term, version, range, forward, parts } = what;
  const id = version >>> 0;
  const transfer = { id, byteLength: byteLengthOf(parts) };
  const chunks = [...chunksOf(id, parts)].map((chunk) => ({ term, chunk }));
  const exchange = { weightsRange: { version, range, transfer, forward } };
  const messages: CoordinatorMessage[] = [{ term, exchange }, ...chunks];
  void member.outbox.sendAll(messages.map(encodeCoordinatorMessage));
}

/** What a step needs of V, as a message that is encoded once for all workers. */
export interface IterationMessage {
  readonly iteration: number;
  readonly message: Buffer;
}

/** Sends the iteration's context to a worker that does not have it yet. */
export function sendContext(member: Member, { iteration, message }: IterationMessage): void {
  if (member.contextIteration === iteration) return;
  member.contextIteration = iteration;
  void member.outbox.send(message);
}

/** Encodes what an iteration's steps need of V. */
export function encodeContext(term: number, iteration: number, summary: CodeSummary): IterationMessage {
  const message = encodeCoordinatorMessage({
    term,
    iterationContext: {
      iteration,
      databaseSize: summary.databaseSize,
      ratio: summary.ratio,
      gram: Buffer.from(bytesOf(summary.gram)),
      classSums: Buffer.from(bytesOf(summary.classSums)),
      total: Buffer.from(bytesOf(summary.total)),
      classSizes: Buffer.from(bytesOf(summary.classSizes)),
    },
  });
  return { iteration, message };
}
