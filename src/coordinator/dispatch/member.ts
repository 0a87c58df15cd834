import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../clock.js';
import { byteLengthOf } from '../../transport/bytes.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { WorkerMessage__Output } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { encodeCoordinatorMessage } from '../../transport/service.js';
import { TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { CoordinatorError } from '../error.js';
import type { SharedMemory } from './local-worker-memory.js';
import { WorkerTally } from './worker-tally.js';

/**
 * Life of one worker process as the coordinator sees it.
 * - `joining`: the stream is open; the worker is checking itself (engine, probe microbatch). Gets no work.
 * - `ready`: admitted, holds no work.
 * - `computing`: holds microbatches or encode batches that it has not answered yet.
 * - `draining`: finishes what it holds, or has handed it back, and gets no new work. Entered when the worker says that
 *   it leaves, when it is drained by request, and when the coordinator sets it aside.
 * - `gone`: the stream ended, or the coordinator ended it. Never comes back: a restarted worker is a new member.
 */
export type MemberState = 'joining' | 'ready' | 'computing' | 'draining' | 'gone';
export const memberStates: readonly MemberState[] = ['joining', 'ready', 'computing', 'draining', 'gone'];

/** Where each state may lead. */
const transitions: Readonly<Record<MemberState, readonly MemberState[]>> = {
  joining: ['ready', 'gone'],
  ready: ['computing', 'draining', 'gone'],
  computing: ['ready', 'draining', 'gone'],
  draining: ['gone'],
  gone: [],
};

/** What a worker computes with, as it said when it was admitted. */
export interface WorkerEngine {
  readonly name: string;
  readonly version: string;
  readonly device: string;
  readonly instructionSet: string;
}

export type WorkerStream = ServerDuplexStream<WorkerMessage__Output, CoordinatorMessage | Buffer>;

export interface MemberOptions {
  readonly slot: number;
  readonly name: string;
  /** Drawn at each start of the worker process. */
  readonly instanceId: string;
  /** Which stream of the process this is, from 1. */
  readonly session: number;
  readonly stream: WorkerStream;
  /** Where its transfers are put together. */
  readonly memory: TransferMemory;
  readonly clock: Clock;
  /** What it shares with this process, if that started it; else null. */
  readonly sharedMemory: SharedMemory | null;
}

/** One stream of a worker process, for as long as it lives. */
export class Member {
  private current: MemberState = 'joining';
  /** Of the unanswered microbatches, those whose deadline has passed. While there are any it gets no more. */
  overdue = 0;
  /** Whether the first weights are still on their way to a worker that joined during a step. */
  isReceiving = false;
  /** Unanswered pieces of work; the pool reports `computing` while there are any. */
  outstanding = 0;
  /** Version of the weights this worker was sent last; null before the first. */
  weightsVersion: number | null = null;
  /** Iteration whose context this worker was sent last. */
  contextIteration: number | null = null;
  /** By the clock that was given. */
  lastHeardAtMs: number;
  /** Null until it is admitted. */
  engine: WorkerEngine | null = null;
  /** When its certificate ends, Unix time in milliseconds; null in plain text. */
  certificateExpiryMs: number | null = null;
  readonly tally = new WorkerTally();
  readonly outbox: Outbox<CoordinatorMessage | Buffer>;
  readonly receiver: TransferReceiver;

  /** Small number, reused after its owner is gone: the worker's name in logs and metrics. */
  readonly slot: number;
  readonly name: string;
  readonly instanceId: string;
  readonly session: number;
  readonly stream: WorkerStream;
  readonly sharedMemory: SharedMemory | null;

  constructor({ slot, name, instanceId, session, stream, memory, clock, sharedMemory }: MemberOptions) {
    this.slot = slot;
    this.name = name;
    this.instanceId = instanceId;
    this.session = session;
    this.stream = stream;
    this.sharedMemory = sharedMemory;
    this.lastHeardAtMs = clock.nowMs();
    this.receiver = new TransferReceiver(
      memory,
      sharedMemory && { reader: sharedMemory.results, taken: (...what) => this.taken(sharedMemory, ...what) },
    );
    this.outbox = new Outbox(
      {
        write: (message, taken) => {
          // Encoded here, where it is known for whom.
          const bytes = Buffer.isBuffer(message) ? message : encodeCoordinatorMessage(message);
          this.tally.bytesSent += bytes.byteLength;
          return stream.write(bytes, taken);
        },
        once: (event, listener) => stream.once(event, listener),
        off: (event, listener) => stream.off(event, listener),
      },
      clock,
    );
  }

  get state(): MemberState {
    return this.current;
  }

  /**
   * The only way from one state to another.
   * @throws CoordinatorError COORDINATOR_ILLEGAL_TRANSITION where the state does not lead there
   */
  moveTo(next: MemberState): void {
    if (!transitions[this.current].includes(next)) {
      throw new CoordinatorError(
        'COORDINATOR_ILLEGAL_TRANSITION',
        `${this.label} is ${this.current}, which leads to ${transitions[this.current].join(' or ') || 'nothing'}, not to ${next}`,
      );
    }
    this.current = next;
  }

  /**
   * Puts weights into the memory that it shares with this process.
   * @returns where they begin; null where nothing is shared, or no room left
   */
  share(transfer: number, parts: readonly Uint8Array[]): number | null {
    const { sharedMemory } = this;
    if (!sharedMemory) return null;
    const offset = sharedMemory.weights.put(transfer, parts, this);
    if (offset !== null) {
      const bytes = byteLengthOf(parts);
      this.tally.bytesSent += bytes;
      sharedMemory.traffic.sentBytes += bytes;
    }
    return offset;
  }

  private taken({ term, traffic }: SharedMemory, transfer: number, bytes: number): void {
    this.tally.bytesReceived += bytes;
    traffic.receivedBytes += bytes;
    void this.outbox.send({ term, taken: { transfer } });
  }

  get label(): string {
    return `worker ${this.slot} (${this.name})`;
  }
}
