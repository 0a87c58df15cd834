import { Worker } from 'node:worker_threads';
import type { TreeNode } from '../../reduction/tree.js';
import { byteLengthOf, bytesOf, copyBytes } from '../../transport/bytes.js';
import type { Position__Output } from '../../transport/generated/fcaenet/v1/Position.js';
import type { WeightsRange__Output } from '../../transport/generated/fcaenet/v1/WeightsRange.js';
import type { Traffic } from '../../transport/service.js';
import { TransferMemory } from '../../transport/transfer-memory.js';
import type { WireVector } from '../../transport/wire-vector.js';
import { WorkerError } from '../error.js';
import type { RangeSum } from '../exchange/output.js';
import type { ElementRange } from '../exchange/ranges.js';
import type { LaneAnswer, LaneOptions, LanePlan, LaneRequest } from './messages.js';

/** Unused memory that is kept for gradients. */
const keptGradients = 4;

/** What a lane says. `done` must be called when the memory that comes with it is not read any more. */
export interface LaneListener {
  weights(version: number, bytes: Uint8Array<SharedArrayBuffer>, done: () => void): void;
  sum(sum: RangeSum, done: () => void): void;
  weightsMissing(version: number, ranges: readonly ElementRange[]): void;
  weightsLost(version: number): void;
  unreachable(member: number, reason: string): void;
  reached(member: number): void;
  /** A message for a peer that cannot be reached. `done` says that the next one may follow. */
  relay(member: number, message: Uint8Array, done: () => void): void;
  refused(reason: string): void;
  /** Called at most once; the lane does nothing more. */
  failed(error: WorkerError): void;
}

/** Exchanges gradients and weights with other workers, in a thread of its own. */
export class Lane {
  private readonly memory = new TransferMemory<SharedArrayBuffer>(
    { arrays: keptGradients },
    (byteLength) => new SharedArrayBuffer(byteLength),
  );
  private readonly held = new Map<number, SharedArrayBuffer>();
  private lastHeld = 0;
  private isOver = false;

  private constructor(
    private readonly thread: Worker,
    private readonly listener: LaneListener,
    /** Where it listens for peers. */
    readonly port: number,
    private readonly moved: Float64Array,
  ) {}

  /** @throws WorkerError WORKER_EXCHANGE when it cannot listen */
  static open(options: Omit<LaneOptions, 'traffic'>, listener: LaneListener): Promise<Lane> {
    const traffic = new Float64Array(new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT));
    const thread = new Worker(new URL('./lane-thread.js', import.meta.url), {
      workerData: { ...options, traffic } satisfies LaneOptions,
    });
    let lane: Lane | null = null;
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        const error = new WorkerError('WORKER_EXCHANGE', `the exchange with other workers failed: ${reason}`);
        if (lane) lane.fail(error);
        else {
          void thread.terminate();
          reject(error);
        }
      };
      thread.on('message', (answer: LaneAnswer) => {
        if (answer.kind === 'failed') fail(answer.reason);
        else if (answer.kind !== 'opened') lane!.receive(answer);
        else {
          lane = new Lane(thread, listener, answer.port, traffic);
          // The thread must not keep an otherwise finished process alive.
          thread.unref();
          resolve(lane);
        }
      });
      thread.on('error', (error) => fail(error instanceof Error ? error.message : String(error)));
      thread.on('exit', () => fail('its thread has ended, but the worker has not'));
    });
  }

  /** Hands over a message of the coordinator. */
  follow({ peers, weightsPlan, plan, reduce }: LanePlan): void {
    this.send({ kind: 'plan', message: { peers, weightsPlan, plan, reduce } });
  }

  /** Hands over a range of the weights. @param bytes in memory of its own, which is the lane's from then on */
  takeWeights({ version, range, forward }: WeightsRange__Output, bytes: Uint8Array<ArrayBuffer>): void {
    this.send({ kind: 'weightsRange', message: { version, range, forward }, bytes }, [bytes.buffer]);
  }

  takeRelayed(member: number, message: Uint8Array): void {
    const copy = new Uint8Array(message);
    this.send({ kind: 'relayed', member, message: copy }, [copy.buffer]);
  }

  /** Hands over a node's gradient and its packed moments, which are copied. */
  hold(position: Position__Output, node: TreeNode, ...parts: (WireVector | Float64Array)[]): void {
    const bytes = this.memory.take(byteLengthOf(parts.map(bytesOf)));
    let end = 0;
    for (const part of parts) {
      copyBytes(bytesOf(part), bytes, end);
      end += part.byteLength;
    }
    const id = ++this.lastHeld;
    this.held.set(id, bytes.buffer);
    const { level, index } = node;
    this.send({ kind: 'hold', id, position, node: { level, index }, gradient: bytes.buffer });
  }

  /** Bytes of tensors that went to peers and came from them so far. */
  get traffic(): Traffic {
    const [sentBytes, receivedBytes] = this.moved as unknown as [number, number];
    return { sentBytes, receivedBytes };
  }

  /** Ends the thread and its connections. */
  async close(): Promise<void> {
    this.isOver = true;
    await this.thread.terminate();
  }

  private receive(answer: Exclude<LaneAnswer, { kind: 'opened' | 'failed' }>): void {
    if (this.isOver) return;
    const { listener } = this;
    const giveBack = (id: number) => () => this.send({ kind: 'giveBack', id });
    if (answer.kind === 'weights') listener.weights(answer.version, answer.bytes, giveBack(answer.id));
    else if (answer.kind === 'sum') listener.sum(answer.sum, giveBack(answer.id));
    else if (answer.kind === 'weightsMissing') listener.weightsMissing(answer.version, answer.ranges);
    else if (answer.kind === 'weightsLost') listener.weightsLost(answer.version);
    else if (answer.kind === 'unreachable') listener.unreachable(answer.member, answer.reason);
    else if (answer.kind === 'reached') listener.reached(answer.member);
    else if (answer.kind === 'refused') listener.refused(answer.reason);
    else if (answer.kind === 'relay') {
      listener.relay(answer.member, answer.message, () => this.send({ kind: 'relayed on' }));
    } else {
      this.memory.give(this.held.get(answer.id)!);
      this.held.delete(answer.id);
    }
  }

  private send(request: LaneRequest, transfer: ArrayBuffer[] = []): void {
    if (!this.isOver) this.thread.postMessage(request, transfer);
  }

  private fail(error: WorkerError): void {
    if (this.isOver) return;
    this.isOver = true;
    void this.thread.terminate();
    this.listener.failed(error);
  }
}
