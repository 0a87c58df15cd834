import { Worker } from 'node:worker_threads';
import type { Peer } from '../../transport/peers/identity.js';
import { KnownMemory } from '../lane/known-memory.js';
import type { ArrivedRange, CarrierAnswer, CarrierOptions, CarrierRequest } from './messages.js';

/** What a carrier says of its connections. Each has a number that no other has had. */
export interface CarrierListener {
  opened(connection: number): void;
  /**
   * A worker cannot be reached, or its call has ended. What was sent to it may be lost.
   * @param isRefused whether it says that this process or its messages are wrong
   */
  lost(connection: number, reason: string, isRefused: boolean): void;
  /** The next message for a worker has left for the connection. */
  left(connection: number): void;
  /** A sum has come. It is not read any more when this resolves. */
  arrived(connection: number, arrived: ArrivedRange): Promise<void>;
  /** The carrier does nothing more. Called at most once. */
  failed(reason: string): void;
}

/** Carries ranges between this process and workers, on connections of their own, in a thread. */
export class Carrier {
  /** Null before it is first needed. */
  private thread: Worker | null = null;
  private isOver = false;
  private readonly memory = new KnownMemory();

  constructor(
    private readonly options: CarrierOptions,
    private readonly listener: CarrierListener,
  ) {}

  connect(connection: number, peer: Peer, connectMs: number): void {
    this.thread ??= this.start();
    this.tell({ kind: 'connect', connection, peer, connectMs });
  }

  /** Does nothing where there is no connection. */
  disconnect(connection: number): void {
    this.tell({ kind: 'disconnect', connection });
  }

  /**
   * Sends the messages of a range.
   * @param messages as `encodeCoordinatorMessage` makes them. Their memory is the carrier's from then on
   */
  send(connection: number, messages: readonly Buffer[]): void {
    // Short ones share a buffer of Node's, which would go along.
    const own = messages.map((message) =>
      message.buffer.byteLength === message.byteLength ? message : new Uint8Array(message),
    );
    const buffers = own.map(({ buffer }) => buffer as ArrayBuffer);
    this.tell({ kind: 'send', connection, messages: own }, buffers);
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.thread?.terminate();
  }

  private start(): Worker {
    const thread = new Worker(new URL('./carrier-thread.js', import.meta.url), { workerData: this.options });
    // The thread must not keep an otherwise finished process alive.
    thread.unref();
    thread.on('message', (answer: CarrierAnswer) => this.receive(answer));
    thread.on('error', (error) => this.fail(error instanceof Error ? error.message : String(error)));
    thread.on('exit', () => this.fail('its thread has ended, but the run has not'));
    return thread;
  }

  private receive(answer: CarrierAnswer): void {
    if (this.isOver) return;
    const { listener } = this;
    if (answer.kind === 'memory' || answer.kind === 'forget') this.memory.take(answer);
    else if (answer.kind === 'arrived') {
      const { connection, id, place, ...arrival } = answer;
      const sum = this.memory.vectorAt(place);
      void listener.arrived(connection, { ...arrival, sum }).then(() => this.tell({ kind: 'done', id }));
    } else if (answer.kind === 'left') listener.left(answer.connection);
    else if (answer.kind === 'opened') listener.opened(answer.connection);
    else listener.lost(answer.connection, answer.reason, answer.isRefused);
  }

  private tell(request: CarrierRequest, transfer: ArrayBuffer[] = []): void {
    if (!this.isOver) this.thread?.postMessage(request, transfer);
  }

  private fail(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.listener.failed(reason);
  }
}
