import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Log } from '../console/log.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import { ExitCode, FcaenetError } from '../errors.js';
import { payloadArrays } from '../reduction/payload.js';
import { bytesOf } from '../transport/bytes.js';
import { diallingOf } from '../transport/credentials.js';
import { TransportError } from '../transport/error.js';
import type { CoordinatorMessage__Output } from '../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { WorkerMessage } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../transport/outbox.js';
import { channelOptions, protocolVersion, TrainingClientType } from '../transport/service.js';
import { byteLengthOf, chunksOf, TransferReceiver } from '../transport/tensor-stream.js';
import type { TlsMaterial } from '../transport/tls-files.js';
import { WorkerError } from './error.js';
import { WorkerRun } from './run.js';

export interface WorkerOptions {
  /** Where the coordinator listens, HOST:PORT. */
  readonly connect: string;
  /** How long to try to reach it. */
  readonly connectTimeoutSeconds: number;
  /** This worker's copy of the dataset. */
  readonly data: string;
  /** Folder of the decoded images; shared by the workers of a host. */
  readonly cache: { readonly directory: string; readonly limitBytes: number };
  /** Null speaks plain text. */
  readonly tls: TlsMaterial | null;
  /** What the coordinator may ask for; null where this worker was given none. */
  readonly joinToken: string | null;
  readonly name: string;
  readonly log: Log;
  /** Ends the worker at the next message. */
  readonly signal: AbortSignal;
}

type CoordinatorStream = ClientDuplexStream<WorkerMessage, CoordinatorMessage__Output>;

/**
 * Joins a run and works for it until the run is over, the signal fires or the coordinator is gone.
 * @throws TransportError when no coordinator answers; WorkerError when it refuses this worker or vanishes; and what
 * the worker's own failure was, after telling the coordinator
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const dataset = await loadDataset(options.data);
  const address = options.connect;
  const { credentials, options: tlsOptions } = diallingOf(address, options.tls);
  const client = new TrainingClientType(address, credentials, { ...channelOptions, ...tlsOptions });
  try {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + 1000 * options.connectTimeoutSeconds, (error) => {
        if (!error) resolve();
        else {
          reject(
            new TransportError(
              'TRANSPORT_UNREACHABLE',
              `no coordinator answered at ${address} within ${options.connectTimeoutSeconds} s`,
              { cause: error },
            ),
          );
        }
      });
    });
    await new Session(options, dataset, client.join()).run();
  } finally {
    client.close();
  }
}

/** One membership: a stream, and the work that arrives on it, done in order. */
class Session {
  private readonly outbox: Outbox<WorkerMessage>;
  private readonly receiver = new TransferReceiver();
  private term = 0;
  private lastTransfer = 0;
  private worker: WorkerRun | null = null;
  private heartbeat: NodeJS.Timeout | undefined;
  /** Work is done one piece after another, in the order it came. */
  private work: Promise<void> = Promise.resolve();
  private settle!: { resolve: () => void; reject: (error: unknown) => void };
  private settled = false;

  constructor(
    private readonly options: WorkerOptions,
    private readonly dataset: Dataset,
    private readonly stream: CoordinatorStream,
  ) {
    this.outbox = new Outbox(stream);
  }

  async run(): Promise<void> {
    const { signal, name } = this.options;
    const ended = new Promise<void>((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.stream.on('data', (message: CoordinatorMessage__Output) => this.receive(message));
    this.stream.on('error', (error) => this.lost(error));
    this.stream.on('end', () => this.lost());
    const leave = () => {
      void this.send({ leaving: { reason: 'it was told to stop' } }).then(() => this.finish());
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    void this.send({
      hello: {
        protocolVersion,
        workerName: name,
        instanceId: randomUUID(),
        datasetFingerprint: this.dataset.fingerprint,
        joinToken: this.options.joinToken ?? '',
      },
    });
    try {
      await ended;
    } finally {
      signal.removeEventListener('abort', leave);
      clearInterval(this.heartbeat);
      await this.closeStream();
      await this.work.catch(() => {});
      await this.worker?.close();
    }
  }

  private send(message: WorkerMessage): Promise<void> {
    return this.outbox.send({ term: this.term, ...message });
  }

  /** Half-closes and waits a moment for what was written to leave. */
  private async closeStream(): Promise<void> {
    this.outbox.close();
    if (this.stream.closed || this.stream.destroyed) return;
    this.stream.end();
    await Promise.race([
      once(this.stream, 'close'),
      new Promise((resolve) => setTimeout(resolve, 1_000)),
    ]).catch(() => {});
    this.stream.cancel();
  }

  private finish(error?: unknown): void {
    if (this.settled) return;
    this.settled = true;
    if (error === undefined) this.settle.resolve();
    else this.settle.reject(error);
  }

  private lost(cause?: unknown): void {
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    this.finish(
      new WorkerError('WORKER_LOST_COORDINATOR', `the coordinator at ${this.options.connect} is gone${why}`, {
        cause,
      }),
    );
  }

  /** Ends the session with a failure of this worker, after telling the coordinator what it was. */
  private fail(error: unknown): void {
    if (this.settled) return;
    const known =
      error instanceof FcaenetError
        ? error
        : new FcaenetError('WORKER_UNEXPECTED', String(error), ExitCode.failed, { cause: error });
    const { code, message, exitCode } = known;
    void this.send({ failure: { code, message, exitCode } }).then(() => this.finish(error));
  }

  private enqueue(task: () => Promise<void>): void {
    this.work = this.work.then(() => (this.settled ? undefined : task())).catch((error) => this.fail(error));
  }

  private receive(message: CoordinatorMessage__Output): void {
    if (this.settled) return;
    try {
      this.handle(message);
    } catch (error) {
      this.fail(error);
    }
  }

  private handle(message: CoordinatorMessage__Output): void {
    // An old leader that wakes up must not be obeyed.
    if (message.term < this.term) return;
    if (message.welcome) {
      const { welcome } = message;
      this.term = message.term;
      this.heartbeat = setInterval(() => {
        void this.send({ heartbeat: this.worker?.imageStatistics() ?? {} });
      }, welcome.heartbeatMs);
      this.enqueue(async () => {
        const { cache, log } = this.options;
        this.worker = await WorkerRun.prepare(welcome, this.dataset, cache, log);
        await this.send({ ready: this.worker.ready });
      });
    } else if (message.refusal) {
      this.finish(
        new WorkerError('WORKER_REFUSED', `the coordinator refused this worker: ${message.refusal.message}`),
      );
    } else if (message.finish) {
      this.options.log.info('the run is over', { reason: message.finish.reason });
      this.finish();
    } else if (message.chunk) {
      this.receiver.accept(message.chunk);
    } else if (message.iterationContext) {
      const context = message.iterationContext;
      this.enqueue(async () => this.prepared().setIterationContext(context));
    } else if (message.weights) {
      const { weightBytes } = this.prepared();
      this.receiver.begin(
        message.weights.transfer,
        { least: weightBytes, most: weightBytes },
        'weights',
        (bytes) => this.enqueue(async () => this.prepared().setWeights(bytes)),
      );
    } else if (message.gradientWork) {
      const work = message.gradientWork;
      this.prepared().prefetch(work);
      this.enqueue(async () => {
        for await (const finished of this.prepared().computeGradients(work)) {
          if (this.settled) return;
          const { node, computeSeconds, imageWaitSeconds } = finished;
          await this.sendTensors(payloadArrays(finished.payload).map(bytesOf), (transfer) => ({
            nodeResult: { position: work.position, node, transfer, computeSeconds, imageWaitSeconds },
          }));
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

  /** Announces a transfer and sends its chunks with nothing between. */
  private sendTensors(
    parts: Uint8Array[],
    announce: (transfer: { id: number; byteLength: number }) => WorkerMessage,
  ): Promise<void> {
    const id = ++this.lastTransfer;
    const { term } = this;
    function* messages(): Generator<WorkerMessage> {
      yield { term, ...announce({ id, byteLength: byteLengthOf(parts) }) };
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
