import type { CodeSummary } from '../../hashing/similarity.js';
import { byteLengthOf, bytesOf } from '../../transport/bytes.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Range__Output as Range } from '../../transport/generated/fcaenet/v1/Range.js';
import { encodeCoordinatorMessage } from '../../transport/service.js';
import { chunksOf } from '../../transport/tensor-stream.js';
import type { Member } from './member.js';

/** Weights and running statistics, as flat vectors in the layout's order. */
export interface FlatWeights {
  readonly parameters: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

const bytesPerElement = Float32Array.BYTES_PER_ELEMENT;

/** One version of the weights that is sent to the workers. */
export class OutgoingWeights {
  /** Transfer ids are the sender's own. A worker has one open weights transfer at a time. */
  private readonly id: number;
  private readonly parts: readonly Uint8Array[];
  private encoded: readonly Buffer[] | null = null;

  /** @param weights not copied: they must not change until their step or encode job is over */
  constructor(
    private readonly term: number,
    readonly version: number,
    weights: FlatWeights,
  ) {
    this.id = version >>> 0;
    this.parts = [weights.parameters, weights.mean, weights.variance].map(bytesOf);
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

  /** Number of elements: parameters, means, variances. */
  get elements(): number {
    return byteLengthOf(this.parts) / bytesPerElement;
  }

  /**
   * Sends parts of the weights.
   * @param forward whether the worker passes them on to its peers
   */
  sendRanges(member: Member, ranges: readonly Range[], forward: boolean): void {
    const { term, version } = this;
    for (const range of ranges) {
      const bytes = this.bytesIn(range);
      const transfer = { id: this.id, byteLength: byteLengthOf(bytes) };
      const chunks = [...chunksOf(this.id, bytes)].map((chunk) => ({ term, chunk }));
      const exchange = { weightsRange: { version, range, transfer, forward } };
      const messages: CoordinatorMessage[] = [{ term, exchange }, ...chunks];
      // Encoded at once: the weights may change before a slow stream takes the last one.
      void member.outbox.sendAll(messages.map(encodeCoordinatorMessage));
    }
  }

  /** The bytes of some elements, cut where the parts are. */
  private bytesIn({ start, end }: Range): Uint8Array[] {
    let before = 0;
    return this.parts.flatMap((part) => {
      const [from, to] = [start, end].map((at) =>
        Math.min(Math.max(Number(at) * bytesPerElement - before, 0), part.byteLength),
      ) as [number, number];
      before += part.byteLength;
      return to > from ? [part.subarray(from, to)] : [];
    });
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
