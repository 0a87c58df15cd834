import { Worker } from 'node:worker_threads';
import type { WireVector } from '../../transport/wire-vector.js';
import { CoordinatorError } from '../error.js';
import { MemoryNames, type Place } from './known-memory.js';
import type { Advance, Advanced, Lane, Sending } from './lane.js';
import type { LaneMessage, LaneRequest } from './requests.js';
import type { TrainedVectors } from './sgd.js';

/** A lane of two threads: one computes the digest, one the rest. A thread starts when it is first needed. */
export class ThreadLane implements Lane {
  private readonly arithmetic: LaneThread;
  private readonly digests: LaneThread;

  /** @param onFailed called when a thread ends before it is closed */
  constructor(onFailed: (error: CoordinatorError) => void) {
    this.arithmetic = new LaneThread('computes new weights', onFailed);
    this.digests = new LaneThread("computes the gradient's digest", onFailed);
  }

  allocate(byteLength: number): SharedArrayBuffer {
    return new SharedArrayBuffer(byteLength);
  }

  async advance({ from, into, gradient, source, scalars, sending }: Advance): Promise<Advanced> {
    const { arithmetic } = this;
    const placesOf = ({ parameters, buffer }: TrainedVectors) => ({
      parameters: arithmetic.placeOf(parameters),
      buffer: arithmetic.placeOf(buffer),
    });
    const messages = (await arithmetic.ask({
      kind: 'advance',
      from: placesOf(from),
      into: placesOf(into),
      gradient: arithmetic.placeOf(gradient),
      source: source && arithmetic.placeOf(source),
      scalars,
      sending,
    })) as Uint8Array<ArrayBuffer>[] | null;
    return messages?.map(bufferOf) ?? null;
  }

  async encode(
    sending: Sending,
    parameters: Float32Array,
    statistics: readonly Uint8Array[],
  ): Promise<readonly Buffer[]> {
    const { arithmetic } = this;
    const place = arithmetic.placeOf(parameters);
    // Views would take all of their memory along.
    const copies = statistics.map((bytes) => new Uint8Array(bytes));
    const messages = await arithmetic.ask({ kind: 'encode', sending, parameters: place, statistics: copies });
    return (messages as Uint8Array<ArrayBuffer>[]).map(bufferOf);
  }

  async copy(from: Float32Array, into: Float32Array): Promise<void> {
    const { arithmetic } = this;
    await arithmetic.ask({ kind: 'copy', from: arithmetic.placeOf(from), into: arithmetic.placeOf(into) });
  }

  async norm(vector: WireVector): Promise<number> {
    const { arithmetic } = this;
    return (await arithmetic.ask({ kind: 'norm', vector: arithmetic.placeOf(vector) })) as number;
  }

  hash(vector: WireVector, begins: boolean): void {
    const { digests } = this;
    void digests.ask({ kind: 'hash', vector: digests.placeOf(vector), begins });
  }

  async digest(): Promise<string> {
    return (await this.digests.ask({ kind: 'digest' })) as string;
  }

  async close(): Promise<void> {
    await Promise.all([this.arithmetic.close(), this.digests.close()]);
  }
}

/** A buffer that has arrived as plain bytes. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

interface Asked {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: CoordinatorError) => void;
}

/** A thread that answers each request, in order. */
class LaneThread {
  private thread: Worker | null = null;
  private readonly asked: Asked[] = [];
  private failure: CoordinatorError | null = null;
  private readonly names = new MemoryNames((news) => this.send(news));

  /** @param does what it does, for its error */
  constructor(
    private readonly does: string,
    private readonly onFailed: (error: CoordinatorError) => void,
  ) {}

  /** @param vector in shared memory */
  placeOf(vector: WireVector): Place {
    return this.names.placeOf(vector);
  }

  ask(request: LaneRequest): Promise<unknown> {
    const answer = new Promise((resolve, reject) => {
      if (this.failure) return reject(this.failure);
      this.asked.push({ resolve, reject });
      this.send(request);
    });
    // Whoever waits for it gets the error. Nobody has to.
    answer.catch(() => {});
    return answer;
  }

  async close(): Promise<void> {
    this.end('it was closed');
    await this.thread?.terminate();
  }

  private send(message: LaneMessage): void {
    if (this.failure) return;
    this.thread ??= this.start();
    this.thread.postMessage(message);
  }

  private start(): Worker {
    const thread = new Worker(new URL('./lane-thread.js', import.meta.url));
    thread.on('message', (answer) => this.asked.shift()!.resolve(answer));
    thread.on('error', (error) => this.fail(error instanceof Error ? error.message : String(error)));
    thread.on('exit', () => this.fail('it ended, but the run has not'));
    return thread;
  }

  private fail(reason: string): void {
    if (this.failure) return;
    this.end(reason);
    this.onFailed(this.failure!);
  }

  private end(reason: string): void {
    this.failure ??= new CoordinatorError(
      'COORDINATOR_LANE',
      `the thread that ${this.does} has failed: ${reason}; start the coordinator again to resume from the last checkpoint`,
    );
    for (const { reject } of this.asked.splice(0)) reject(this.failure);
  }
}
