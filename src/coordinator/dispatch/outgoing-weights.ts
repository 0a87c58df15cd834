import type { CodeSummary } from '../../hashing/similarity.js';
import { wireWeightParts } from '../../model/wire-weights.js';
import type { WirePrecision } from '../../run/training-run.js';
import { byteLengthOf, bytesOf } from '../../transport/bytes.js';
import { encodeCoordinatorMessage } from '../../transport/codec.js';
import type { Range__Output as Range } from '../../transport/generated/fcaenet/v1/Range.js';
import { chunkBytes } from '../../transport/tensor-stream.js';
import { wireBytes } from '../../transport/wire-vector.js';
import { DirectLane } from '../lane/direct-lane.js';
import { announce, type SentWeights, transferIdOf } from '../lane/encode-weights.js';
import type { Lane, Sending } from '../lane/lane.js';
import type { Member } from './member.js';

/** Weights and running statistics, as flat vectors in the layout's order. */
export interface FlatWeights {
  readonly parameters: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** One version of the weights that is sent to the workers. */
export class OutgoingWeights {
  /** The parts of the shared memory; null before they are written for the first time. */
  private wired: readonly Uint8Array[] | null = null;
  private encoded: Promise<readonly Buffer[]> | null = null;

  /**
   * @param weights or their wire form. Not copied: they must not change until their step or encode job is over.
   * @param lane encodes them; the parameters lie in its memory
   */
  constructor(
    private readonly term: number,
    readonly version: number,
    private readonly weights: FlatWeights | Uint8Array,
    private readonly precision: WirePrecision,
    private readonly lane: Pick<Lane, 'encode'> = new DirectLane(),
  ) {}

  /**
   * Sends the weights to a worker that does not have them yet: through shared memory if possible, else in chunks that
   * are encoded once for all workers.
   * @returns resolves when they are handed to its stream
   */
  sendTo(member: Member): Promise<void> {
    if (member.weightsVersion === this.version) return Promise.resolve();
    member.weightsVersion = this.version;
    const { weights, precision } = this;
    const sent = { term: this.term, version: this.version, part: null };
    const id = transferIdOf(sent);
    if (member.sharedMemory) {
      this.wired ??= weights instanceof Uint8Array ? [weights] : wireWeightParts(weights, precision);
      const sharedOffset = member.share(id, this.wired);
      if (sharedOffset !== null) {
        return member.outbox.send(announce(sent, { id, byteLength: byteLengthOf(this.wired), sharedOffset }));
      }
    }
    this.encoded ??= this.encode(sent, ...this.vectors);
    return member.outbox.sendAll(this.encoded);
  }

  /** Number of words: elements of parameters in the wire's precision, and as many bytes each of means and variances. */
  get words(): number {
    const [parameters, others] = this.vectors;
    return parameters.length + byteLengthOf(others) / this.wordBytes;
  }

  /**
   * Sends parts of the weights.
   * @param ranges of words
   * @param forward whether the worker passes them on to its peers
   */
  sendRanges(member: Member, ranges: readonly Range[], forward: boolean): void {
    const { term, version } = this;
    for (const range of ranges) {
      const sent = { term, version, part: { range, forward } };
      member.sendRange(this.encode(sent, ...this.cut(range)));
    }
  }

  /** How a range of the parameters of the next version is sent. */
  following(range: Range): Sending {
    const { term, version, precision } = this;
    return { sent: { term, version: version + 1, part: { range, forward: true } }, precision };
  }

  /** Bytes of a word. */
  private get wordBytes(): number {
    return wireBytes(this.precision, 1);
  }

  /** The parameters that are still to be written for the wire, and the bytes that follow them. */
  private get vectors(): [Float32Array, readonly Uint8Array[]] {
    const { weights } = this;
    if (weights instanceof Uint8Array) return [new Float32Array(0), [weights]];
    return [weights.parameters, [weights.mean, weights.variance].map(bytesOf)];
  }

  /** The parameters among some words, and the bytes of the statistics among them. */
  private cut({ start, end }: Range): [Float32Array, Uint8Array[]] {
    const [parameters, others] = this.vectors;
    let before = this.wordBytes * parameters.length;
    const cut = others.map((part) => {
      const [from, to] = [start, end].map((at) =>
        Math.min(Math.max(at * this.wordBytes - before, 0), part.byteLength),
      );
      before += part.byteLength;
      return part.subarray(from, to);
    });
    const [first, last] = [start, end].map((at) => Math.min(at, parameters.length));
    return [parameters.subarray(first, last), cut];
  }

  private encode(
    sent: SentWeights,
    parameters: Float32Array,
    statistics: readonly Uint8Array[],
  ): Promise<readonly Buffer[]> {
    return this.lane.encode({ sent, precision: this.precision }, parameters, statistics);
  }
}

/** What an iteration's steps need of V and of its method's state, as messages that are encoded once for all workers. */
export interface IterationMessage {
  readonly iteration: number;
  readonly messages: readonly Buffer[];
}

/** Sends the iteration's context to a worker that does not have it yet. */
export function sendContext(member: Member, { iteration, messages }: IterationMessage): void {
  if (member.contextIteration === iteration) return;
  member.contextIteration = iteration;
  void member.outbox.sendAll(messages);
}

/**
 * Encodes what an iteration's steps need.
 * @param anchored local features of the classes, `summary.classCount` times as many; null where none are exchanged
 */
export function encodeContext(
  term: number,
  iteration: number,
  summary: CodeSummary,
  anchored: Float32Array | null = null,
): IterationMessage {
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
  return {
    iteration,
    messages: [message, ...anchoredMessages(term, iteration, summary.classCount, anchored)],
  };
}

/** The features of the classes, some classes a message: all of them together may be larger than a message may be. */
function anchoredMessages(
  term: number,
  iteration: number,
  classCount: number,
  anchored: Float32Array | null,
): Buffer[] {
  if (!anchored) return [];
  const size = anchored.length / classCount;
  const atOnce = Math.max(1, Math.floor(chunkBytes / (4 * size)));
  const messages: Buffer[] = [];
  for (let firstClass = 0; firstClass < classCount; firstClass += atOnce) {
    const anchoredFeatures = Buffer.from(
      bytesOf(anchored.subarray(firstClass * size, (firstClass + atOnce) * size)),
    );
    messages.push(
      encodeCoordinatorMessage({ term, iterationContext: { iteration, firstClass, anchoredFeatures } }),
    );
  }
  return messages;
}
