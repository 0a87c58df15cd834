import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskWatch } from '../disk/watch.js';
import { ExitCode, FcaenetError, shorten } from '../errors.js';
import { payloadArrays } from '../reduction/payload.js';
import { byteLengthOf, bytesOf } from '../transport/bytes.js';
import type { CoordinatorMessage__Output } from '../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Hello } from '../transport/generated/fcaenet/v1/Hello.js';
import type { Welcome__Output } from '../transport/generated/fcaenet/v1/Welcome.js';
import type { WorkerMessage } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../transport/outbox.js';
import { leastSharedBytes, memoryFiles, SharedWriter } from '../transport/shared-memory.js';
import { chunksOf, TransferReceiver } from '../transport/tensor-stream.js';
import type { CoordinatorStream } from './connection.js';
import { WorkerError } from './error.js';
import type { WorkerRun } from './run.js';
import type { RunMemory } from './run-memory.js';
import type { WorkerMemory } from './shared-memory.js';
import type { StreamedLog } from './streamed-log.js';

/** How often a worker looks whether its coordinator is still there, before the welcome says otherwise. */
const firstHeartbeatMs = 2_000;
/** Looks in a row that find nothing new before the coordinator counts as gone. */
const mostSilentLooks = 6;
/** How long a goodbye may take on a stream that may be dead. */
const goodbyeMs = 1_000;

export interface SessionOptions {
  readonly hello: Hello;
  readonly memory: RunMemory;
  /** What may be shared with the coordinator; null in a worker that it did not start. */
  readonly shared: WorkerMemory | null;
  readonly log: StreamedLog;
  /** Makes the worker leave between two microbatches. */
  readonly signal: AbortSignal;
  /** Called when the coordinator has admitted this worker; `kept`: with what an earlier session had prepared. */
  readonly onAdmitted: (kept: boolean) => void;
}

/**
 * How a session ended that was nobody's failure.
 * - `over`: the run is finished.
 * - `failed`: the run has failed in a way that no coordinator will mend.
 * - `left`: this worker was told to stop.
 * - `paused`: the coordinator stopped before the run's end and may come back.
 * - `lost`: the stream broke, fell silent, or belongs to a coordinator that no longer leads.
 * - `dismissed`: the coordinator did not take an answer of this worker, which had been admitted.
 */
export type SessionEnding =
  | { readonly how: 'over' }
  | { readonly how: 'left' }
  | { readonly how: 'failed'; readonly reason: string }
  | {
      readonly how: 'paused' | 'lost' | 'dismissed';
      readonly reason: string;
      /** Whether a coordinator that may lead was there at all. */
      readonly welcomed: boolean;
    };

/** One membership: a stream, and the work that arrives on it, done in order. */
export class Session {
  private readonly outbox: Outbox<WorkerMessage>;
  private readonly receiver: TransferReceiver;
  /** Memory for results; null where the coordinator shares none. */
  private results: SharedWriter | null = null;
  private readonly ended = new AbortController();
  private term = 0;
  private lastTransfer = 0;
  private worker: WorkerRun | null = null;
  private admitted = false;
  private kept = false;
  private silentLooks = 0;
  private heartbeat: NodeJS.Timeout | undefined;
  /** Work is done one piece after another, in the order it came. */
  private work: Promise<void> = Promise.resolve();
  private settle!: { resolve: (ending: SessionEnding) => void; reject: (error: unknown) => void };

  constructor(
    private readonly options: SessionOptions,
    private readonly stream: CoordinatorStream,
  ) {
    this.outbox = new Outbox(stream);
    const { memory, shared } = options;
    const taken = (transfer: number) => void this.send({ taken: { transfer } });
    this.receiver = new TransferReceiver(memory.transfers, shared && { reader: shared.weights, taken });
  }

  /**
   * Works until the session ends.
   * @throws WorkerError WORKER_REFUSED when the coordinator does not admit this worker; and what the worker's own
   * failure was, after telling the coordinator
   */
  async run(): Promise<SessionEnding> {
    const { signal, hello, log } = this.options;
    const ending = new Promise<SessionEnding>((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.stream.on('data', (message: CoordinatorMessage__Output) => this.receive(message));
    this.stream.on('error', (error) => this.lose(error.message));
    this.stream.on('end', () => this.lose('it ended the stream'));
    const leave = () =>
      void this.sayLast({ leaving: { reason: 'it was told to stop' } }, () => this.finish({ how: 'left' }));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    this.beat(firstHeartbeatMs);
    void this.send({ hello });
    try {
      return await ending;
    } finally {
      signal.removeEventListener('abort', leave);
      log.detach();
      clearInterval(this.heartbeat);
      await this.closeStream();
      await this.work;
    }
  }

  private send(message: WorkerMessage): Promise<void> {
    return this.outbox.send({ term: this.term, ...message });
  }

  /** Sends a message after which nothing follows, waiting no longer for it than a goodbye may take. */
  private async sayLast(message: WorkerMessage, then: () => void): Promise<void> {
    // No new work meanwhile, and none of what is queued.
    this.ended.abort();
    await Promise.race([this.send(message), sleep(goodbyeMs)]);
    then();
  }

  /** Half-closes and waits a moment for what was written to leave. */
  private async closeStream(): Promise<void> {
    this.outbox.close();
    if (this.stream.closed || this.stream.destroyed) return;
    this.stream.end();
    await Promise.race([once(this.stream, 'close'), sleep(goodbyeMs)]).catch(() => {});
    this.stream.cancel();
  }

  private finish(ending: SessionEnding): void {
    this.ended.abort();
    this.settle.resolve(ending);
  }

  private interrupt(how: 'paused' | 'lost' | 'dismissed', reason: string): void {
    this.finish({ how, reason, welcomed: this.term > 0 });
  }

  private lose(reason: string): void {
    this.interrupt('lost', reason);
  }

  /** Ends the session with a failure of this worker, after telling the coordinator what it was. */
  private fail(error: unknown): void {
    if (this.ended.signal.aborted) return;
    const known =
      error instanceof FcaenetError
        ? error
        : new FcaenetError('WORKER_UNEXPECTED', String(error), ExitCode.failed, { cause: error });
    const { code, message, exitCode } = known;
    void this.sayLast({ failure: { code, message, exitCode } }, () => this.settle.reject(error));
  }

  /**
   * Says that this worker lives, and looks whether the coordinator does. Looks are counted instead of time: after a
   * long microbatch the clock has moved on although everything that came meanwhile is still unread.
   */
  private beat(everyMs: number): void {
    clearInterval(this.heartbeat);
    this.heartbeat = setInterval(() => {
      if (++this.silentLooks > mostSilentLooks) {
        this.stream.cancel();
        this.lose(`nothing came from it for ${Math.round((mostSilentLooks * everyMs) / 1000)} s`);
      } else if (this.term > 0)
        void this.send({
          heartbeat: { ...this.worker?.imageStatistics(), overdueFileOperations: diskWatch.overdueTotal },
        });
    }, everyMs);
  }

  private enqueue(task: () => Promise<void>): void {
    this.work = this.work
      .then(() => (this.ended.signal.aborted ? undefined : task()))
      .catch((error) => this.fail(error));
  }

  private receive(message: CoordinatorMessage__Output): void {
    this.silentLooks = 0;
    if (this.ended.signal.aborted) return;
    try {
      this.handle(message);
    } catch (error) {
      this.fail(error);
    }
  }

  private handle(message: CoordinatorMessage__Output): void {
    if (message.welcome) this.enter(message.welcome, message.term);
    // An old leader that wakes up must not be obeyed, not even when it sends this worker home.
    else if (message.term < (this.term || this.options.memory.term)) {
      if (this.term === 0) this.lose(this.oldTerm(message.term));
    } else if (message.refusal) this.sentAway(shorten(message.refusal.message));
    else if (message.finish) {
      const { reason, resumable, failed } = message.finish;
      if (resumable) this.interrupt('paused', shorten(reason));
      else if (failed) this.finish({ how: 'failed', reason: shorten(reason) });
      else this.finish({ how: 'over' });
    } else if (message.admitted) {
      this.admitted = true;
      this.options.onAdmitted(this.kept);
    } else if (message.chunk) this.receiver.accept(message.chunk);
    else if (message.taken) this.results?.taken(message.taken.transfer, this);
    else this.takeWork(message);
  }

  private enter(welcome: Welcome__Output, term: number): void {
    const { memory, log } = this.options;
    if (!memory.follow(welcome.run, term)) {
      this.lose(this.oldTerm(term));
      return;
    }
    this.term = term;
    this.beat(welcome.heartbeatMs);
    const { shared } = this.options;
    if (shared && welcome.sharesMemory) {
      this.results = new SharedWriter(shared.results, () =>
        log.warn('there is no room for gradients in shared memory; they go over gRPC', {
          directory: memoryFiles,
        }),
      );
    }
    log.attach((logLine) => void this.send({ logLine }));
    this.enqueue(async () => {
      const { run, kept } = await memory.prepare(welcome);
      this.worker = run;
      this.kept = kept;
      await this.send({ ready: run.ready });
    });
  }

  private oldTerm(term: number): string {
    const { memory } = this.options;
    return `it leads run ${memory.runName} under term ${term}, but this worker has followed term ${memory.term} of it: an old leader, or a run begun anew under the same name, which only workers started since can join`;
  }

  private sentAway(reason: string): void {
    if (this.admitted) this.interrupt('dismissed', reason);
    else {
      this.ended.abort();
      this.settle.reject(new WorkerError('WORKER_REFUSED', `the coordinator refused this worker: ${reason}`));
    }
  }

  private takeWork(message: CoordinatorMessage__Output): void {
    if (message.iterationContext) {
      const context = message.iterationContext;
      this.enqueue(async () => this.prepared().setIterationContext(context));
    } else if (message.weights) {
      const { weightBytes } = this.prepared();
      this.receiver.begin(
        message.weights.transfer,
        { least: weightBytes, most: weightBytes },
        'a set of weights',
        (bytes) =>
          this.enqueue(async () => {
            this.prepared().setWeights(bytes);
            this.options.memory.transfers.give(bytes.buffer);
          }),
      );
    } else if (message.gradientWork) {
      const work = message.gradientWork;
      this.prepared().prefetch(work);
      this.enqueue(async () => {
        for await (const finished of this.prepared().computeGradients(work, this.ended.signal)) {
          if (this.ended.signal.aborted) return;
          const { node, leafDigests, computeSeconds, imageWaitSeconds } = finished;
          await this.sendTensors(payloadArrays(finished.payload).map(bytesOf), (transfer) => ({
            nodeResult: {
              position: work.position,
              node,
              transfer,
              leafDigests: [...leafDigests],
              computeSeconds,
              imageWaitSeconds,
            },
          }));
          // The gradient's memory is used again from here on.
          await this.outbox.flushed();
          if (this.ended.signal.aborted) return;
        }
        this.prepared().prefetchUpcoming(work);
      });
    } else if (message.encodeWork) {
      const work = message.encodeWork;
      this.prepared().prefetchEncode(work);
      this.enqueue(async () => {
        const { request, batch } = work;
        const bytes = await this.prepared().encode(work);
        await this.sendTensors([bytes], (transfer) => ({ encodeResult: { request, batch, transfer } }));
      });
    }
  }

  /** Announces a transfer and puts it into shared memory, or sends its chunks with nothing between. */
  private sendTensors(
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number; sharedOffset?: number }) => WorkerMessage,
  ): Promise<void> {
    const id = ++this.lastTransfer;
    const { term } = this;
    const byteLength = byteLengthOf(parts);
    const offset = byteLength < leastSharedBytes ? null : (this.results?.put(id, parts, this) ?? null);
    if (offset !== null) return this.send(announce({ id, byteLength, sharedOffset: offset }));
    function* messages(): Generator<WorkerMessage> {
      yield { term, ...announce({ id, byteLength }) };
      for (const chunk of chunksOf(id, parts)) yield { term, chunk };
    }
    return this.outbox.sendAll(messages());
  }

  private prepared(): WorkerRun {
    if (!this.worker) {
      throw new WorkerError('WORKER_BAD_WORK', 'the coordinator sent work before it admitted this worker');
    }
    return this.worker;
  }
}
