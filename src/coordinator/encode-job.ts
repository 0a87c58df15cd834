import { bytesOf } from '../transport/bytes.js';
import type { EncodeResult__Output } from '../transport/generated/fcaenet/v1/EncodeResult.js';
import type { EncodeWork } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import { DeadlineEstimator } from './deadline.js';
import { LeafShares } from './leaf-shares.js';
import type { Member } from './member.js';
import type { WorkerPool } from './pool.js';
import type { OutgoingWeights } from './snapshot.js';

/** Images in one batch of encode work. Fixed, so that the outputs do not depend on the workers. */
export const encodeBatchSize = 64;
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
}

let lastRequest = 0;

/**
 * Has the workers encode images in fixed batches; the batches of a worker that leaves, is late or answers what cannot be
 * true go to others.
 * @param onProgress called with the number of images done so far
 * @returns `images.length × bytesPerImage` bytes in the order of `images`; rejects with the signal's reason when aborted
 */
export function runEncodeJob(
  pool: WorkerPool,
  job: EncodeJob,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const request = ++lastRequest;
  const output = new Uint8Array(job.images.length * job.bytesPerImage);
  const batches = Math.ceil(job.images.length / encodeBatchSize);
  const waiting = Array.from({ length: batches }, (_, batch) => batch);
  const owed = new Map<Member, Set<number>>();
  const shares = new LeafShares<Member>();
  const deadlines = new DeadlineEstimator();
  const late = new Set<Member>();
  const completed = new Set<number>();
  let done = 0;

  const imagesOf = (batch: number): Uint32Array =>
    job.images.subarray(batch * encodeBatchSize, (batch + 1) * encodeBatchSize);

  const feed = (member: Member): void => {
    if (pool.waiting !== null || member.state === 'draining' || late.has(member)) return;
    const held = owed.get(member) ?? new Set();
    owed.set(member, held);
    while (held.size < batchesInFlight && waiting.length > 0) {
      const batch = waiting.shift()!;
      if (completed.has(batch)) continue;
      held.add(batch);
      shares.give(member, [batch], performance.now() / 1000);
      void job.weights.sendTo(member);
      pool.account(member, 1);
      void member.outbox.send({
        term: job.term,
        encodeWork: {
          request,
          batch,
          weightsVersion: job.weights.version,
          output: job.output,
          split: job.split,
          images: Buffer.from(bytesOf(imagesOf(batch))),
        },
      });
    }
  };

  return new Promise((resolve, reject) => {
    const onEncoded = (member: Member, result: EncodeResult__Output, bytes: Uint8Array): void => {
      if (result.request !== request) return;
      const problem = job.implausible?.(bytes);
      if (problem) {
        pool.refuse(member, 'non_finite', `encode batch ${result.batch} holds ${problem}`);
        return;
      }
      const held = owed.get(member);
      if (!held?.delete(result.batch)) return;
      pool.account(member, -1);
      const { seconds, late: wasLate } = shares.answer(member, [result.batch], performance.now() / 1000);
      if (wasLate === 0) deadlines.observe(seconds);
      late.delete(member);
      if (completed.has(result.batch)) {
        feed(member);
        return;
      }
      completed.add(result.batch);
      output.set(bytes, result.batch * encodeBatchSize * job.bytesPerImage);
      done += imagesOf(result.batch).length;
      onProgress(done);
      if (done === job.images.length) finish(() => resolve(output));
      else feed(member);
    };
    const onGone = (member: Member): void => {
      shares.drop(member);
      takeBack(owed.get(member) ?? []);
      owed.delete(member);
      feedAll();
    };
    const takeBack = (batches: Iterable<number>): void => {
      waiting.unshift(...[...batches].filter((batch) => !completed.has(batch) && !waiting.includes(batch)));
    };
    const expire = (): void => {
      const others = (member: Member) =>
        pool.admitted().some((other) => other !== member && !late.has(other));
      for (const { worker, leaves } of shares.expire(performance.now() / 1000, (count) =>
        deadlines.secondsFor(count),
      )) {
        if (!others(worker)) continue;
        late.add(worker);
        takeBack(leaves);
      }
      feedAll();
    };
    const feedAll = (): void => {
      for (const member of pool.available()) feed(member);
    };
    const onAbort = (): void => finish(() => reject(signal.reason));
    const watch = setInterval(expire, lookMs);
    const finish = (settle: () => void): void => {
      clearInterval(watch);
      pool.off('encoded', onEncoded);
      pool.off('gone', onGone);
      pool.off('ready', feedAll);
      signal.removeEventListener('abort', onAbort);
      for (const [member, held] of owed) pool.account(member, -held.size);
      settle();
    };

    if (signal.aborted) {
      clearInterval(watch);
      reject(signal.reason);
      return;
    }
    if (batches === 0) {
      clearInterval(watch);
      resolve(output);
      return;
    }
    pool.on('encoded', onEncoded);
    pool.on('gone', onGone);
    pool.on('ready', feedAll);
    signal.addEventListener('abort', onAbort, { once: true });
    pool.bounds = {
      ...pool.bounds,
      mostEncodedBytes: Math.max(pool.bounds.mostEncodedBytes, encodeBatchSize * job.bytesPerImage),
      encoded: (result) =>
        result.request === request ? imagesOf(result.batch).length * job.bytesPerImage : null,
    };
    feedAll();
  });
}
