import { once } from 'node:events';
import { atMost } from '../clock.js';
import { diskWatch } from '../disk/watch.js';
import { ExitCode, FcaenetError, shorten } from '../errors.js';
import { outcomeOf, payloadArrays } from '../reduction/payload.js';
import { byteLengthOf, bytesOf } from '../transport/bytes.js';
import type { CoordinatorMessage__Output } from '../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { EncodeWork__Output } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import type { GradientWork__Output } from '../transport/generated/fcaenet/v1/GradientWork.js';
import type { Hello } from '../transport/generated/fcaenet/v1/Hello.js';
import type { Welcome__Output } from '../transport/generated/fcaenet/v1/Welcome.js';
import type { WorkerMessage } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../transport/outbox.js';
import { leastSharedBytes, memoryFiles, SharedWriter } from '../transport/shared-memory.js';
import { chunksOf, TransferReceiver } from '../transport/tensor-stream.js';
import { ArrivingWeights } from './arriving-weights.js';
import type { ComputingRun } from './computing-run.js';
import type { CoordinatorStream } from './connection.js';
import { WorkerError } from './error.js';
import { type ExchangeSettings, SessionExchange } from './session-exchange.js';
import type { WorkerMemory } from './shared-memory.js';
import type { StreamedLog } from './streamed-log.js';
import type { WorkerCache } from './worker-cache.js';

/** Interval of heartbeats before the welcome sets another. */
const firstHeartbeatMs = 2_000;
/** Consecutive heartbeats without a message from the coordinator before it counts as gone. */
const mostSilentBeats = 6;
/** Time limit of the last message on a stream that may be dead. */
const lastMessageMs = 1_000;

export interface SessionOptions {
  readonly hello: Hello;
  readonly workerCache: WorkerCache;
  /** Memory shared with the coordinator; null in a worker that it did not start. */
  readonly shared: WorkerMemory | null;
  /** Where it listens for other workers, where they exchange gradients. */
  readonly exchange: ExchangeSettings;
  readonly log: StreamedLog;
  /** Makes the worker leave between two microbatches. */
  readonly signal: AbortSignal;
  /**
   * Called when the coordinator has admitted this worker. `kept` says that the engine and network of an earlier session
   * are reused.
   */
  readonly onAdmitted: (kept: boolean) => void;
}

/**
 * How a session ended without a failure of this worker.
 * - `over`: the run is finished.
 * - `failed`: the run has failed permanently.
 * - `left`: this worker was told to stop.
 * - `paused`: the coordinator stopped before the run's end and may come back.
 * - `lost`: the stream broke, became silent, or belongs to a coordinator that no longer leads.
 * - `rejected`: the coordinator rejected an answer of this worker, which had been admitted.
 */
export type SessionEnding =
  | { readonly how: 'over' }
  | { readonly how: 'left' }
  | { readonly how: 'failed'; readonly reason: string }
  | {
      readonly how: 'paused' | 'lost' | 'rejected';
      readonly reason: string;
      /** Whether a coordinator that may lead was reached. */
      readonly welcomed: boolean;
    };

/** One membership: a stream, and the work that arrives on it, done in order. */
export class Session {
  private readonly outbox: Outbox<WorkerMessage>;
  private readonly receiver: TransferReceiver;
  /** Memory for results; null when the coordinator shares none. */
  private results: SharedWriter | null = null;
  private readonly ended = new AbortController();
  private term = 0;
  private lastTransfer = 0;
  private worker: ComputingRun | null = null;
  /** Null when this worker takes no part in an exchange of gradients. */
  private exchange: SessionExchange | null = null;
  private readonly weights = new ArrivingWeights(
    (bytes) => this.prepared().setWeights(bytes),
    this.ended.signal,
    (version) => this.lose(`weights ${version}, which its work needs, do not come any more`),
  );
  private admitted = false;
  private kept = false;
  private silentLooks = 0;
  private heartbeat: NodeJS.Timeout | undefined;
  /** Work begins in order of arrival, one piece after another unless the run takes more while it computes. */
  private work: Promise<void> = Promise.resolve();
  private readonly running = new Set<Promise<void>>();
  private settle!: { resolve: (ending: SessionEnding) => void; reject: (error: unknown) => void };

  constructor(
    private readonly options: SessionOptions,
    private readonly stream: CoordinatorStream,
  ) {
    this.outbox = new Outbox(stream);
    const { workerCache, shared } = options;
    const taken = (transfer: number) => void this.send({ taken: { transfer } });
    this.receiver = new TransferReceiver(workerCache.transfers, shared && { reader: shared.weights, taken });
  }

  /**
   * Works until the session ends.
   * @throws WorkerError WORKER_REFUSED when the coordinator does not admit this worker; the worker's own failure, after
   * reporting it to the coordinator
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
      await Promise.all(this.running);
      await this.exchange?.close();
    }
  }

  private send(message: WorkerMessage): Promise<void> {
    return this.outbox.send({ term: this.term, ...message });
  }

  /** Sends the last message of the session, with a time limit. */
  private async sayLast(message: WorkerMessage, then: () => void): Promise<void> {
    // Start no queued or new work from now on.
    this.ended.abort();
    await atMost(lastMessageMs, this.send(message));
    then();
  }

  /** Half-closes the stream and waits a short time for the written messages to leave. */
  private async closeStream(): Promise<void> {
    this.outbox.close();
    if (this.stream.closed || this.stream.destroyed) return;
    this.stream.end();
    await atMost(lastMessageMs, once(this.stream, 'close'));
    this.stream.cancel();
  }

  private finish(ending: SessionEnding): void {
    this.ended.abort();
    this.settle.resolve(ending);
  }

  private interrupt(how: 'paused' | 'lost' | 'rejected', reason: string): void {
    this.finish({ how, reason, welcomed: this.term > 0 });
  }

  private lose(reason: string): void {
    this.interrupt('lost', reason);
  }

  /** Ends the session with a failure of this worker, after reporting it to the coordinator. */
  private fail(thrown: unknown): void {
    if (this.ended.signal.aborted) return;
    const error = this.worker === null ? thrown : this.worker.explain(thrown);
    const known =
      error instanceof FcaenetError
        ? error
        : new FcaenetError('WORKER_UNEXPECTED', String(error), ExitCode.failed, { cause: error });
    const { code, message, exitCode } = known;
    void this.sayLast({ failure: { code, message, exitCode } }, () => this.settle.reject(error));
  }

  /**
   * Sends a heartbeat and checks that the coordinator is alive. Counts heartbeats instead of time: after a long
   * microbatch, messages that arrived meanwhile are still unread.
   */
  private beat(everyMs: number): void {
    clearInterval(this.heartbeat);
    this.heartbeat = setInterval(() => {
      if (++this.silentLooks > mostSilentBeats) {
        this.stream.cancel();
        this.lose(`it sent nothing for ${Math.round((mostSilentBeats * everyMs) / 1000)} s`);
      } else if (this.term > 0) {
        const overdueFileOperations = diskWatch.overdueTotal;
        const statistics = this.worker?.statistics() ?? { overdueFileOperations };
        void this.send({ heartbeat: { ...statistics, ...this.exchange?.traffic } });
      }
    }, everyMs);
  }

  private enqueue(task: () => Promise<void>): void {
    this.work = this.work
      .then(() => (this.ended.signal.aborted ? undefined : task()))
      .catch((error) => this.fail(error));
  }

  /** Waits for the end of a piece of work where the run takes no other before. */
  private async compute(task: Promise<void>): Promise<void> {
    if (!this.prepared().isConcurrent) return task;
    const running = task.catch((error) => this.fail(error)).finally(() => this.running.delete(running));
    this.running.add(running);
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
    // Do not follow an old leader, not even when it ends the session.
    else if (message.term < (this.term || this.options.workerCache.term)) {
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
    const { workerCache, log } = this.options;
    if (!workerCache.follow(welcome.run, term)) {
      this.lose(this.oldTerm(term));
      return;
    }
    this.term = term;
    this.beat(welcome.heartbeatMs);
    const { shared } = this.options;
    if (shared && welcome.sharesMemory) {
      this.results = new SharedWriter(shared.results, () =>
        log.warn('no space for gradients in shared memory; sending them over gRPC', {
          directory: memoryFiles,
        }),
      );
    }
    log.attach((logLine) => void this.send({ logLine }));
    this.enqueue(async () => {
      const { run, kept } = await workerCache.prepare(welcome);
      this.worker = run;
      this.kept = kept;
      void run.failure?.then((error) => this.fail(error));
      this.exchange = await this.openExchange(welcome, run);
      await this.send({ ready: { ...run.ready, peerAddress: this.exchange?.peerAddress ?? '' } });
    });
  }

  private openExchange(welcome: Welcome__Output, run: ComputingRun): Promise<SessionExchange | null> {
    const { log, exchange } = this.options;
    return SessionExchange.open(welcome, this.term, run.exchangeShape, exchange, {
      receiver: this.receiver,
      weights: this.weights,
      log,
      send: (message) => this.send(message),
      sendTensors: async (parts, announce) => {
        await this.sendTensors(parts, announce, null);
        await this.outbox.flushed();
      },
      fail: (error) => this.fail(error),
    });
  }

  private oldTerm(term: number): string {
    const { workerCache } = this.options;
    return `it leads run ${workerCache.runName} under term ${term}, but this worker has already followed term ${workerCache.term}: it is an old leader, or the run was started again under the same name, and then this worker must be restarted too`;
  }

  private sentAway(reason: string): void {
    if (this.admitted) this.interrupt('rejected', reason);
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
      const { version, transfer } = message.weights;
      const allowed = { least: weightBytes, most: weightBytes };
      this.receiver.begin(transfer, allowed, 'a set of weights', (bytes) =>
        this.weights.arrive(version, bytes, () => this.options.workerCache.transfers.give(bytes.buffer)),
      );
    } else if (message.gradientWork) {
      const work = message.gradientWork;
      this.prepared().prefetch(work);
      this.weights.expect(work.weightsVersion);
      this.enqueue(async () => {
        await this.weights.use(work.weightsVersion);
        if (!this.ended.signal.aborted) await this.compute(this.computeGradients(work));
      });
    } else if (message.encodeWork) {
      const work = message.encodeWork;
      this.prepared().prefetchEncode(work);
      this.weights.expect(work.weightsVersion);
      this.enqueue(async () => {
        await this.weights.use(work.weightsVersion);
        if (!this.ended.signal.aborted) await this.compute(this.encode(work));
      });
    } else if (message.exchange) this.exchanging().take(message.exchange);
  }

  private async computeGradients(work: GradientWork__Output): Promise<void> {
    const { signal } = this.ended;
    const { position, exchange: held, request } = work;
    for await (const finished of this.prepared().computeGradients(work, signal)) {
      if (signal.aborted) return;
      const { node, payload, isCompared, leafDigests, device, computeSeconds, imageWaitSeconds } = finished;
      if (held) {
        const moments = this.prepared().packMoments(payload.moments);
        this.exchanging().hold(position!, node, payload.gradient, moments);
      }
      const parts = payloadArrays(held && !isCompared ? outcomeOf(payload) : payload).map(bytesOf);
      await this.sendTensors(parts, (transfer) => ({
        nodeResult: {
          position,
          node,
          transfer,
          leafDigests: [...leafDigests],
          computeSeconds,
          imageWaitSeconds,
          held,
          device,
          request,
        },
      }));
      // The gradient's memory may be reused now.
      await this.outbox.flushed();
      if (signal.aborted) return;
    }
    this.prepared().prefetchUpcoming(work);
  }

  private async encode(work: EncodeWork__Output): Promise<void> {
    const { request, batch } = work;
    const { bytes, device } = await this.prepared().encode(work, this.ended.signal);
    await this.sendTensors([bytes], (transfer) => ({ encodeResult: { request, batch, transfer, device } }));
  }

  /** Announces a transfer, then puts it into shared memory or sends its chunks without other messages between them. */
  private sendTensors(
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number; sharedOffset?: number }) => WorkerMessage,
    memory = this.results,
  ): Promise<void> {
    const id = ++this.lastTransfer;
    const { term } = this;
    const byteLength = byteLengthOf(parts);
    const offset = byteLength < leastSharedBytes ? null : (memory?.put(id, parts, this) ?? null);
    if (offset !== null) return this.send(announce({ id, byteLength, sharedOffset: offset }));
    function* messages(): Generator<WorkerMessage> {
      yield { term, ...announce({ id, byteLength }) };
      for (const chunk of chunksOf(id, parts)) yield { term, chunk };
    }
    return this.outbox.sendAll(messages());
  }

  private prepared(): ComputingRun {
    if (!this.worker) {
      throw new WorkerError('WORKER_BAD_WORK', 'the coordinator sent work before it admitted this worker');
    }
    return this.worker;
  }
  private exchanging(): SessionExchange {
    if (!this.exchange) {
      throw new WorkerError(
        'WORKER_BAD_WORK',
        'the coordinator asks for an exchange of gradients, but this worker takes no part in one',
      );
    }
    return this.exchange;
  }
}
