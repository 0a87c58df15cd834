import { receivedDigest } from '../../reduction/payload.js';
import { encodeBatches, encodeBatchSize } from '../../schedule/encode-batches.js';
import { bytesOf } from '../../transport/bytes.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { EncodeWork } from '../../transport/generated/fcaenet/v1/EncodeWork.js';
import type { Position } from '../../transport/generated/fcaenet/v1/Position.js';
import { contiguousShares } from './contiguous-shares.js';
import { DeadlineEstimator } from './deadline.js';
import type { Member } from './member.js';
import { UnitDevices } from './member-devices.js';
import type { OutgoingWeights } from './outgoing-weights.js';
import type { WorkerPool } from './pool.js';
import {
  type Candidate,
  RedundantWork,
  type Rejection,
  type UnitDigest,
  type WorkKind,
} from './redundant-work.js';
import type { WorkSurroundings } from './work-surroundings.js';

/** Batches that each device of a worker holds at a time: one that it computes, one whose images it loads. */
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
  /** Where several jobs follow one another; absent where the job has its own. */
  readonly deadlines?: DeadlineEstimator;
  /** Whether two different answers prove that one of the workers is wrong. */
  readonly strict: boolean;
  /** The step whose microbatches the batches are; by default, batches have a fixed size. */
  readonly microbatches?: StepMicrobatches;
}

/** The microbatches of a step. Workers get contiguous shares of them, as they get of its gradient work. */
export interface StepMicrobatches {
  readonly position: Required<Position>;
  /** Places in the job's images behind each microbatch's last one, ascending. */
  readonly ends: readonly number[];
}

/** Called with the number of images done so far, and the worker that has encoded the last of them. */
export type EncodeProgress = (done: number, member: Member) => void;

/**
 * Encodes images on the workers in batches of a fixed size, or in the microbatches of a step, as redundant work.
 * @returns `images.length × bytesPerImage` bytes in the order of `images`; rejects with the signal's reason when
 * aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and no further worker can
 * decide
 */
export async function runEncodeJob(
  job: EncodeJob,
  onProgress: EncodeProgress,
  surroundings: WorkSurroundings,
): Promise<Uint8Array<ArrayBuffer>> {
  const { pool } = surroundings;
  const request = pool.nextRequest();
  surroundings.distribute?.(job.weights);
  let stopExpecting = () => {};
  const kind = new EncodeBatches(job, pool, request, onProgress, () => stopExpecting());
  const work = new RedundantWork(kind, surroundings);
  stopExpecting = pool.encoded.begin(
    {
      bytesOf: (result) => (result.request === request ? kind.bytesOf(result.batch) : null),
      take: (member, { batch, device }: EncodeResult__Output, bytes) => {
        kind.devices.note(member, batch, device);
        work.answer(member, [batch], bytes);
      },
    },
    kind.mostBytes,
  );
  await work.run();
  return kind.output;
}

/** Places in the images behind each batch's last one. */
function batchEnds({ images, microbatches }: EncodeJob): readonly number[] {
  if (microbatches) return microbatches.ends;
  const { length } = images;
  return Array.from({ length: encodeBatches(length) }, (_, i) => Math.min((i + 1) * encodeBatchSize, length));
}

/** The batches of one job as units of work. An answer is a batch's outputs. */
class EncodeBatches implements WorkKind<Uint8Array> {
  readonly verified: readonly number[];
  readonly strict: boolean;
  readonly mostHeld: number;
  readonly units = 'encode batches';
  readonly answers = 'outputs';
  readonly deadlines: DeadlineEstimator;
  readonly output: Uint8Array<ArrayBuffer>;
  private readonly ends: readonly number[];
  private readonly waiting: Set<number>;
  readonly devices = new UnitDevices<Member>();
  /** The member whose answer is in the output, by batch. */
  private readonly authors = new Map<number, Member>();

  constructor(
    private readonly job: EncodeJob,
    pool: Pick<WorkerPool, 'outputDeadlines'>,
    private readonly request: number,
    private readonly onProgress: EncodeProgress,
    readonly release: () => void,
  ) {
    this.verified = job.verified ?? [];
    this.strict = job.strict;
    this.output = new Uint8Array(job.images.length * job.bytesPerImage);
    this.ends = batchEnds(job);
    this.waiting = new Set(this.ends.keys());
    this.mostHeld = job.microbatches ? Number.POSITIVE_INFINITY : batchesInFlight;
    // A step is too short to find out again how long its microbatches take.
    this.deadlines = job.deadlines ?? (job.microbatches ? pool.outputDeadlines : new DeadlineEstimator());
  }

  /** Exact bytes of a batch's outputs; `unknown` when the job has no such batch. */
  bytesOf(batch: number): number | 'unknown' {
    const images = this.imagesOf(batch).length;
    return images === 0 ? 'unknown' : images * this.job.bytesPerImage;
  }

  /** Bytes of the largest batch's outputs. */
  get mostBytes(): number {
    return Math.max(...this.ends.map((_, batch) => this.imagesOf(batch).length)) * this.job.bytesPerImage;
  }

  missing(): readonly number[] {
    return [...this.waiting];
  }

  /** In order, as many to each worker as it may hold; shares of microbatches. First to those with the least other work. */
  assign(
    batches: readonly number[],
    candidates: readonly Candidate[],
  ): { member: Member; units: number[] }[] {
    const leastBusyFirst = [...candidates].sort((a, b) => a.member.outstanding - b.member.outstanding);
    if (this.job.microbatches) return contiguousShares(batches, leastBusyFirst);
    const left = new Set(batches);
    return leastBusyFirst.flatMap(({ member, held, owes }) => {
      const units: number[] = [];
      for (const batch of left) {
        if (held + units.length >= batchesInFlight * member.capacity) break;
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
          ...(job.microbatches && { position: job.microbatches.position }),
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
    this.output.set(bytes, this.startOf(batch!) * this.job.bytesPerImage);
    this.onProgress(this.done, member);
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

  deviceClause(member: Member, batch: number): string {
    return this.devices.clause(member, batch);
  }

  name(batch: number): string {
    const { images, microbatches } = this.job;
    const first = this.startOf(batch);
    const last = first + this.imagesOf(batch).length;
    if (!microbatches) return `images ${first + 1} to ${last} of the ${images.length} to encode`;
    const { iteration, epoch, step } = microbatches.position;
    return `rows ${first + 1} to ${last} of iteration ${iteration + 1}, epoch ${epoch + 1}, step ${step + 1}`;
  }

  private get done(): number {
    let images = 0;
    for (const batch of this.authors.keys()) images += this.imagesOf(batch).length;
    return images;
  }

  private startOf(batch: number): number {
    return batch === 0 ? 0 : this.ends[batch - 1]!;
  }

  /** Empty when there is no such batch. */
  private imagesOf(batch: number): Uint32Array {
    return batch < this.ends.length
      ? this.job.images.subarray(this.startOf(batch), this.ends[batch])
      : new Uint32Array(0);
  }
}
