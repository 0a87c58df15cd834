import { receivedDigest } from '../../reduction/payload.js';
import { encodeBatches, encodeBatchSize } from '../../schedule/encode-batches.js';
import { bytesOf } from '../../transport/bytes.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { EncodeWork } from '../../transport/generated/fcaenet/v1/EncodeWork.js';
import { CoordinatorError } from '../error.js';
import { DeadlineEstimator } from './deadline.js';
import { LeafShares } from './leaf-shares.js';
import { LeafWitnesses } from './leaf-witnesses.js';
import type { Member } from './member.js';
import type { OutgoingWeights } from './outgoing-weights.js';
import type { WorkerPool } from './pool.js';

/** Batches a worker holds at a time: one to compute, one whose images it loads. */
const batchesInFlight = 2;
/** How often deadlines are looked at. */
const lookMs = 100;

export interface EncodeJob {
  readonly term: number;
  readonly output: NonNullable<EncodeWork['output']> & string;
  readonly split: 'TRAIN' | 'TEST';
  /** Positions in the split, in the order of the answer. */
  readonly images: Uint32Array;
  /** Bytes of one image's output. */
  readonly bytesPerImage: number;
  readonly weights: OutgoingWeights;
  /** What cannot be true about a batch's output; null where it may be. */
  readonly implausible?: (bytes: Uint8Array) => string | null;
  /** Batches to encode twice and compare; none where left out. */
  readonly verified?: readonly number[];
  /** Whether workers whose answers differ cannot both be right. */
  readonly strict: boolean;
  /** A batch was encoded by more than one worker. */
  readonly onCompared?: (batch: number, outcome: 'agreed' | 'contradiction') => void;
}

let lastRequest = 0;

/**
 * Has the workers encode images in fixed batches; the batches of a worker that leaves, is late or answers what cannot be
 * true go to others. Where two answer the same batch differently a third decides, and the odd one is set aside with all
 * that only it has answered.
 * @param onProgress called with the number of images done so far
 * @returns `images.length × bytesPerImage` bytes in the order of `images`; rejects with the signal's reason when aborted
 * @throws CoordinatorError COORDINATOR_CONTRADICTION when workers contradict each other and nobody can decide
 */
export function runEncodeJob(
  pool: WorkerPool,
  job: EncodeJob,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  return new EncodeInProgress(pool, job, onProgress, signal).run();
}

class EncodeInProgress {
  private readonly request = ++lastRequest;
  private readonly output: Uint8Array<ArrayBuffer>;
  /** Batches that nobody holds in time and nobody has answered, in order. */
  private readonly waiting: number[];
  private readonly shares = new LeafShares<Member>();
  private readonly deadlines = new DeadlineEstimator();
  private readonly witnesses = new LeafWitnesses<Member>();
  /** Whose answer the output holds, by batch. */
  private readonly authors = new Map<number, Member>();
  /** Batches that need this many answers. */
  private readonly wanted = new Map<number, number>();
  /** Of them, those about which workers contradict each other. */
  private readonly contested = new Set<number>();
  private readonly watch: NodeJS.Timeout;
  private settle!: { resolve: (output: Uint8Array<ArrayBuffer>) => void; reject: (error: unknown) => void };
  private isOver = false;

  constructor(
    private readonly pool: WorkerPool,
    private readonly job: EncodeJob,
    private readonly onProgress: (done: number) => void,
    private readonly signal: AbortSignal,
  ) {
    this.output = new Uint8Array(job.images.length * job.bytesPerImage);
    this.waiting = Array.from({ length: encodeBatches(job.images.length) }, (_, batch) => batch);
    for (const batch of job.verified ?? []) this.wanted.set(batch, 2);
    this.watch = setInterval(() => this.expire(), lookMs);
  }

  run(): Promise<Uint8Array<ArrayBuffer>> {
    const { pool, job, signal, request } = this;
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      pool.on('encoded', this.onEncoded);
      pool.on('gone', this.onGone);
      pool.on('ready', this.feedAll);
      signal.addEventListener('abort', this.onAbort, { once: true });
      pool.bounds = {
        ...pool.bounds,
        mostEncodedBytes: Math.max(pool.bounds.mostEncodedBytes, encodeBatchSize * job.bytesPerImage),
        encoded: (result) =>
          result.request === request ? this.imagesOf(result.batch).length * job.bytesPerImage : null,
      };
      if (signal.aborted) this.onAbort();
      else {
        this.feedAll();
        this.finishWhenWhole();
      }
    });
  }

  private imagesOf(batch: number): Uint32Array {
    return this.job.images.subarray(batch * encodeBatchSize, (batch + 1) * encodeBatchSize);
  }

  private get done(): number {
    return [...this.authors.keys()].reduce((sum, batch) => sum + this.imagesOf(batch).length, 0);
  }

  private readonly feedAll = (): void => {
    for (const member of this.pool.available()) this.feed(member);
  };

  private feed(member: Member): void {
    if (this.isOver || this.pool.waiting !== null || this.shares.isLate(member)) return;
    if (member.state !== 'ready' && member.state !== 'computing') return;
    while (this.shares.countOf(member) < batchesInFlight) {
      const batch = this.nextFor(member);
      if (batch === undefined) return;
      this.hand(member, batch);
    }
  }

  /** A batch that others have and that needs this worker's answer too, else the next one that nobody has. */
  private nextFor(member: Member): number | undefined {
    for (const [batch, answers] of this.wanted) {
      const known = this.witnesses.countOf(batch) + this.shares.inTime(batch);
      if (known > 0 && known < answers && this.mayBeAsked(member, batch)) return batch;
    }
    return this.waiting.shift();
  }

  private mayBeAsked(member: Member, batch: number): boolean {
    return !this.shares.owes(member, batch) && !this.witnesses.hasStated(batch, member);
  }

  private hand(member: Member, batch: number): void {
    const { job, request, pool } = this;
    void job.weights.sendTo(member);
    this.shares.give(member, [batch], performance.now() / 1000);
    pool.account(member, 1);
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

  private readonly onEncoded = (member: Member, result: EncodeResult__Output, bytes: Uint8Array): void => {
    const { request, batch } = result;
    if (request !== this.request) return;
    const problem = this.job.implausible?.(bytes);
    if (problem) {
      this.pool.refuse(member, 'non_finite', `encode batch ${batch} holds ${problem}`);
      return;
    }
    const { owed, seconds, late } = this.shares.answer(member, [batch], performance.now() / 1000);
    if (owed === 0) return;
    this.pool.account(member, -1);
    if (late === 0) this.deadlines.observe(seconds);
    if (!this.authors.has(batch)) this.take(member, batch, bytes);
    this.witnesses.state(batch, member, receivedDigest(bytes).toString('hex'));
    this.judge(member, batch, bytes);
    this.feedAll();
    this.finishWhenWhole();
  };

  private take(member: Member, batch: number, bytes: Uint8Array): void {
    this.authors.set(batch, member);
    // A late worker's, which had been taken back.
    const place = this.waiting.indexOf(batch);
    if (place >= 0) this.waiting.splice(place, 1);
    this.output.set(bytes, batch * encodeBatchSize * this.job.bytesPerImage);
    this.onProgress(this.done);
  }

  /** Compares what was said of a batch, of which `bytes` is the last. */
  private judge(member: Member, batch: number, bytes: Uint8Array): void {
    const { job, witnesses, contested } = this;
    const verdict = witnesses.verdict(batch);
    if (verdict.kind === 'alone') return;
    if (verdict.kind === 'agreed') {
      job.onCompared?.(batch, 'agreed');
      this.wanted.delete(batch);
      return;
    }
    if (!contested.has(batch)) job.onCompared?.(batch, 'contradiction');
    // Workers of different numerical identities may differ.
    if (!job.strict) {
      this.wanted.delete(batch);
      return;
    }
    contested.add(batch);
    this.wanted.set(batch, witnesses.countOf(batch) + 1);
    if (verdict.kind !== 'decided') return;
    contested.delete(batch);
    this.wanted.delete(batch);
    // Before it came there was no majority, so it is one of it.
    if (verdict.odd.includes(this.authors.get(batch)!)) this.take(member, batch, bytes);
    for (const odd of verdict.odd) {
      witnesses.forget(odd);
      for (const [other, author] of this.authors) {
        if (author !== odd) continue;
        this.authors.delete(other);
        this.waiting.push(other);
      }
      this.pool.setAside(odd, 'wrong', `of ${this.name(batch)} it gave outputs that no other worker did`);
    }
  }

  private readonly onGone = (member: Member): void => {
    this.takeBack(this.shares.drop(member));
    this.feedAll();
    this.finishWhenWhole();
  };

  private takeBack(batches: readonly number[]): void {
    const { waiting, authors, shares } = this;
    waiting.unshift(
      ...batches.filter(
        (batch) => !authors.has(batch) && !waiting.includes(batch) && !shares.isInTime(batch),
      ),
    );
  }

  private expire(): void {
    const { pool, shares, deadlines } = this;
    const hasOthers = (member: Member) =>
      pool.admitted().some((other) => other !== member && !shares.isLate(other));
    for (const { worker, leaves } of shares.expire(performance.now() / 1000, (count) =>
      deadlines.secondsFor(count),
    )) {
      if (hasOthers(worker)) this.takeBack(leaves);
    }
    this.feedAll();
    this.finishWhenWhole();
  }

  private finishWhenWhole(): void {
    if (this.isOver || this.done < this.job.images.length) return;
    for (const batch of [...this.wanted.keys()]) {
      const isContested = this.contested.has(batch);
      // Of a contested one, whoever is or comes late may decide too.
      const canBeAsked = this.pool
        .available()
        .some((member) => this.mayBeAsked(member, batch) && (isContested || !this.shares.isLate(member)));
      const isComing = isContested ? this.shares.isOwed(batch) : this.shares.isInTime(batch);
      if (canBeAsked || isComing) return;
      if (isContested) {
        this.end(() => this.settle.reject(this.contradiction(batch)));
        return;
      }
      // There is nobody to compare it with.
      this.wanted.delete(batch);
    }
    this.end(() => this.settle.resolve(this.output));
  }

  private contradiction(batch: number): CoordinatorError {
    return new CoordinatorError(
      'COORDINATOR_CONTRADICTION',
      `workers gave different outputs of ${this.name(batch)} and no further worker could decide between them; the last checkpoint is older, and resuming goes on from it`,
    );
  }

  private name(batch: number): string {
    const first = batch * encodeBatchSize;
    return `images ${first + 1} to ${first + this.imagesOf(batch).length} of the ${this.job.images.length} to encode`;
  }

  private readonly onAbort = (): void => this.end(() => this.settle.reject(this.signal.reason));

  private end(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    clearInterval(this.watch);
    this.pool.off('encoded', this.onEncoded);
    this.pool.off('gone', this.onGone);
    this.pool.off('ready', this.feedAll);
    this.signal.removeEventListener('abort', this.onAbort);
    for (const member of this.pool.all()) {
      const owed = this.shares.countOf(member);
      if (owed > 0) this.pool.account(member, -owed);
    }
    settle();
  }
}
