import { receivedDigest } from '../../reduction/payload.js';
import { encodeBatches, encodeBatchSize } from '../../schedule/encode-batches.js';
import { bytesOf } from '../../transport/bytes.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { EncodeWork } from '../../transport/generated/fcaenet/v1/EncodeWork.js';
import { DeadlineEstimator } from './deadline.js';
import type { Member } from './member.js';
import type { OutgoingWeights } from './outgoing-weights.js';
import {
  type Candidate,
  RedundantWork,
  type Rejection,
  type UnitDigest,
  type WorkKind,
} from './redundant-work.js';
import type { WorkSurroundings } from './work-surroundings.js';

/** Batches a worker holds at a time: one that it computes, one whose images it loads. */
const batchesInFlight = 2;

export interface EncodeJob {
  readonly term: number;
  readonly output: NonNullable<EncodeWork['output']> & string;
  readonly split: 'TRAIN' | 'TEST';
  /** Positions in the split, in the order of the answer. */
  readonly images: Uint32Array;
  /** Bytes of one image's output. */
  readonly bytesPerImage: number;
  readonly weights: OutgoingWeights;
  /** Checks a batch's output for impossible values; null when it is possible. */
  readonly implausible?: (bytes: Uint8Array) => string | null;
  /** Batches to encode twice and compare; none by default. */
  readonly verified?: readonly number[];
  /** Whether two different answers prove that one of the workers is wrong. */
  readonly strict: boolean;
}

/**
 * Encodes images on the workers in fixed batches, as redundant work.
 * @param onProgress called with the number of images done so far
 * @returns `images.length × bytesPerImage` bytes in the order of `images`; rejects with the signal's reason when
 * aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and no further worker can
 * decide
 */
export async function runEncodeJob(
  job: EncodeJob,
  onProgress: (done: number) => void,
  surroundings: WorkSurroundings,
): Promise<Uint8Array<ArrayBuffer>> {
  const { pool } = surroundings;
  const request = pool.nextRequest();
  surroundings.distribute?.(job.weights);
  let stopExpecting = () => {};
  const kind = new EncodeBatches(job, request, onProgress, () => stopExpecting());
  const work = new RedundantWork(kind, surroundings);
  stopExpecting = pool.encoded.begin(
    {
      bytesOf: (result) => (result.request === request ? kind.bytesOf(result.batch) : null),
      take: (member, { batch }: EncodeResult__Output, bytes) => work.answer(member, [batch], bytes),
    },
    encodeBatchSize * job.bytesPerImage,
  );
  await work.run();
  return kind.output;
}

/** The batches of one job as units of work. An answer is a batch's outputs. */
class EncodeBatches implements WorkKind<Uint8Array> {
  readonly verified: readonly number[];
  readonly strict: boolean;
  readonly mostHeld = batchesInFlight;
  readonly units = 'encode batches';
  readonly answers = 'outputs';
  readonly deadlines = new DeadlineEstimator();
  readonly output: Uint8Array<ArrayBuffer>;
  private readonly waiting: Set<number>;
  /** The member whose answer is in the output, by batch. */
  private readonly authors = new Map<number, Member>();

  constructor(
    private readonly job: EncodeJob,
    private readonly request: number,
    private readonly onProgress: (done: number) => void,
    readonly release: () => void,
  ) {
    this.verified = job.verified ?? [];
    this.strict = job.strict;
    this.output = new Uint8Array(job.images.length * job.bytesPerImage);
    this.waiting = new Set(Array.from({ length: encodeBatches(job.images.length) }, (_, batch) => batch));
  }

  /** Exact bytes of a batch's outputs; `unknown` when the job has no such batch. */
  bytesOf(batch: number): number | 'unknown' {
    const images = this.imagesOf(batch).length;
    return images === 0 ? 'unknown' : images * this.job.bytesPerImage;
  }

  missing(): readonly number[] {
    return [...this.waiting];
  }

  /** In order, as many to each worker as it may hold. */
  assign(
    batches: readonly number[],
    candidates: readonly Candidate[],
  ): { member: Member; units: number[] }[] {
    const left = new Set(batches);
    return candidates.flatMap(({ member, held, owes }) => {
      const units: number[] = [];
      for (const batch of left) {
        if (held + units.length >= batchesInFlight) break;
        if (!owes(batch)) units.push(batch);
      }
      for (const batch of units) left.delete(batch);
      return units.length > 0 ? [{ member, units }] : [];
    });
  }

  send(member: Member, batches: readonly number[]): void {
    const { job, request } = this;
    void job.weights.sendTo(member);
    for (const batch of batches) {
      void member.outbox.send({
        term: job.term,
        encodeWork: {
          request,
          batch,
          weightsVersion: job.weights.version,
          output: job.output,
          split: job.split,
          images: Buffer.from(bytesOf(this.imagesOf(batch))),
        },
      });
    }
  }

  implausible([batch]: readonly number[], bytes: Uint8Array): Rejection | null {
    const problem = this.job.implausible?.(bytes);
    return problem ? { reason: 'non_finite', sentence: `encode batch ${batch} holds ${problem}` } : null;
  }

  digestsOf(
    batches: readonly number[],
    bytes: Uint8Array,
    isCompared: (batch: number) => boolean,
  ): readonly UnitDigest[] {
    return batches.filter(isCompared).map((unit) => ({ unit, digest: receivedDigest(bytes) }));
  }

  answered(): void {}

  overdue(): void {}

  take(member: Member, [batch]: readonly number[], bytes: Uint8Array): void {
    if (!this.waiting.delete(batch!)) return;
    this.authors.set(batch!, member);
    this.output.set(bytes, batch! * encodeBatchSize * this.job.bytesPerImage);
    this.onProgress(this.done);
  }

  isUsed(member: Member): boolean {
    return [...this.authors.values()].includes(member);
  }

  discard(members: readonly Member[]): void {
    for (const [batch, author] of this.authors) {
      if (!members.includes(author)) continue;
      this.authors.delete(batch);
      this.waiting.add(batch);
    }
  }

  end(): void {}

  name(batch: number): string {
    const first = batch * encodeBatchSize;
    return `images ${first + 1} to ${first + this.imagesOf(batch).length} of the ${this.job.images.length} to encode`;
  }

  private get done(): number {
    const { images } = this.job;
    const last = encodeBatches(images.length) - 1;
    const whole = this.authors.size * encodeBatchSize;
    // Only the last batch may be smaller.
    return this.authors.has(last) ? whole - encodeBatchSize + this.imagesOf(last).length : whole;
  }

  private imagesOf(batch: number): Uint32Array {
    return this.job.images.subarray(batch * encodeBatchSize, (batch + 1) * encodeBatchSize);
  }
}
