import { bytesOf } from '../transport/bytes.js';
import type { EncodeResult__Output } from '../transport/generated/fcaenet/v1/EncodeResult.js';
import type { EncodeWork } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import type { Member } from './member.js';
import type { WorkerPool } from './pool.js';
import { sendWeights, type WeightsMessages } from './snapshot.js';

/** Images in one batch of encode work. Fixed, so that the outputs do not depend on the workers. */
export const encodeBatchSize = 64;
/** Batches a worker holds at a time: one to compute, one whose images it loads. */
const batchesInFlight = 2;

export interface EncodeJob {
  readonly term: number;
  readonly output: NonNullable<EncodeWork['output']> & string;
  readonly split: 'TRAIN' | 'TEST';
  /** Positions in the split, in the order of the answer. */
  readonly images: Uint32Array;
  /** Bytes of one image's output. */
  readonly bytesPerImage: number;
  readonly weights: WeightsMessages;
}

let lastRequest = 0;

/**
 * Has the workers encode images in fixed batches; the batches of a worker that leaves go to others.
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
  let done = 0;

  const imagesOf = (batch: number): Uint32Array =>
    job.images.subarray(batch * encodeBatchSize, (batch + 1) * encodeBatchSize);

  const feed = (member: Member): void => {
    if (pool.waiting !== null || member.state === 'draining') return;
    const held = owed.get(member) ?? new Set();
    owed.set(member, held);
    while (held.size < batchesInFlight && waiting.length > 0) {
      const batch = waiting.shift()!;
      held.add(batch);
      void sendWeights(member, job.weights);
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
      const held = owed.get(member);
      if (!held?.delete(result.batch)) return;
      pool.account(member, -1);
      output.set(bytes, result.batch * encodeBatchSize * job.bytesPerImage);
      done += imagesOf(result.batch).length;
      onProgress(done);
      if (done === job.images.length) finish(() => resolve(output));
      else feed(member);
    };
    const onGone = (member: Member): void => {
      waiting.unshift(...(owed.get(member) ?? []));
      owed.delete(member);
      feedAll();
    };
    const feedAll = (): void => {
      for (const member of pool.admitted()) feed(member);
    };
    const onAbort = (): void => finish(() => reject(signal.reason));
    const finish = (settle: () => void): void => {
      pool.off('encoded', onEncoded);
      pool.off('gone', onGone);
      pool.off('ready', feedAll);
      signal.removeEventListener('abort', onAbort);
      for (const [member, held] of owed) pool.account(member, -held.size);
      settle();
    };

    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    if (batches === 0) {
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
