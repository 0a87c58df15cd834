import { randomBytes } from 'node:crypto';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { type Clock, secondsOf } from '../../clock.js';
import { byteLengthOf } from '../../transport/bytes.js';
import { encodeCoordinatorMessage } from '../../transport/codec.js';
import type { Chunk__Output } from '../../transport/generated/fcaenet/v1/Chunk.js';
import type { CoordinatorMessage } from '../../transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { Heartbeat__Output } from '../../transport/generated/fcaenet/v1/Heartbeat.js';
import type { WorkerMessage__Output } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { Outbox } from '../../transport/outbox.js';
import { TransferReceiver } from '../../transport/tensor-stream.js';
import type { TransferMemory } from '../../transport/transfer-memory.js';
import { CoordinatorError } from '../error.js';
import type { CoordinatorPath } from './data-path.js';
import { LeavingMessages } from './leaving-messages.js';
import type { Line } from './line-pace.js';
import type { SharedMemory } from './local-worker-memory.js';
import { devicesFrom, type MemberDevice } from './member-devices.js';
import { WorkerTally } from './worker-tally.js';

const peerKeyBytes = 16;

/**
 * Life of one worker process, seen by the coordinator.
 * - `joining`: the stream is open; the worker is checking itself (engine, probe microbatch). Gets no work.
 * - `ready`: admitted, holds no work.
 * - `computing`: holds microbatches or encode batches that it has not answered yet.
 * - `draining`: finishes its work or has handed it back, and gets no new work. Entered when the worker announces that
 * it leaves, when it is drained by request, and when the coordinator sets it aside.
 * - `gone`: the stream ended, or the coordinator ended it. Final: a restarted worker is a new member.
 */
export type MemberState = 'joining' | 'ready' | 'computing' | 'draining' | 'gone';
export const memberStates: readonly MemberState[] = ['joining', 'ready', 'computing', 'draining', 'gone'];

/** Allowed transitions. */
const transitions: Readonly<Record<MemberState, readonly MemberState[]>> = {
  joining: ['ready', 'gone'],
  ready: ['computing', 'draining', 'gone'],
  computing: ['ready', 'draining', 'gone'],
  draining: ['gone'],
  gone: [],
};

/** A worker's engine, as reported when it was admitted. */
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
  /** Number among all members of the term, from 1. Its peers know it by this number. */
  readonly number: number;
  /** Random for each start of the worker process. */
  readonly instanceId: string;
  /** Number of this stream among those of the process, from 1. */
  readonly session: number;
  readonly stream: WorkerStream;
  /** Where its transfers are assembled. */
  readonly memory: TransferMemory<ArrayBufferLike>;
  readonly clock: Clock;
  /** What all workers send and receive together. */
  readonly line: Line;
  /** Memory shared with this process if it started the worker; else null. */
  readonly sharedMemory: SharedMemory | null;
}

/** A way for ranges to a worker, beside its stream. */
export interface RangeRoute {
  /** What is on its way. */
  readonly leaving: LeavingMessages;
  /** Sends the messages of a range. Those that never come, because their promise rejects, are left out. */
  send(messages: readonly Buffer[] | Promise<readonly Buffer[]>): void;
  /** Resolves when everything so far has left for the connection, or the way has ended. */
  hasLeft(): Promise<void>;
}

/** One stream of a worker process, for as long as it lasts. */
export class Member {
  private current: MemberState = 'joining';
  /** Unanswered microbatches after their deadline. While there are any, the worker gets no more. */
  overdue = 0;
  /** Whether a worker that joined during a step is still receiving its first weights. */
  isReceiving = false;
  /** Unanswered pieces of work. The state is `computing` while there are any. */
  outstanding = 0;
  /** Version of the weights that this worker was sent last; null before the first. */
  weightsVersion: number | null = null;
  /** Iteration whose context this worker was sent last. */
  contextIteration: number | null = null;
  /** Milliseconds of the given clock. */
  lastHeardAtMs: number;
  /** Null until it is admitted. */
  engine: WorkerEngine | null = null;
  /** When its certificate expires, Unix time in milliseconds; null in plain text. */
  certificateExpiryMs: number | null = null;
  /** SHA-256 of its certificate; empty in plain text. */
  certificateSha256: Buffer = Buffer.alloc(0);
  /** The IP address of this machine at which it has connected. */
  coordinatorHost = '';
  /** Where other workers reach it, HOST:PORT; empty when they cannot. */
  peerAddress = '';
  /** Those that it computes on; none where it has one only. */
  devices: readonly MemberDevice[] = [];
  /** Where ranges for it go; null while they go over its stream. */
  route: RangeRoute | null = null;
  /** What a peer must know to connect to it. Random and secret. */
  readonly peerKey = randomBytes(peerKeyBytes);
  /** The peers that it was told last, as a key of their numbers. */
  toldPeers = '';
  readonly tally = new WorkerTally();
  readonly outbox: Outbox<CoordinatorMessage | Buffer>;
  readonly receiver: TransferReceiver;
  readonly leaving = new LeavingMessages();

  /** Small number, reused after the worker is gone. It names the worker in logs and metrics. */
  readonly slot: number;
  readonly number: number;
  readonly name: string;
  readonly instanceId: string;
  readonly session: number;
  readonly stream: WorkerStream;
  readonly sharedMemory: SharedMemory | null;
  private readonly clock: Clock;
  private readonly line: Line;

  constructor({
    slot,
    number,
    name,
    instanceId,
    session,
    stream,
    memory,
    clock,
    line,
    sharedMemory,
  }: MemberOptions) {
    this.slot = slot;
    this.number = number;
    this.name = name;
    this.instanceId = instanceId;
    this.session = session;
    this.stream = stream;
    this.sharedMemory = sharedMemory;
    this.clock = clock;
    this.line = line;
    this.lastHeardAtMs = clock.nowMs();
    this.receiver = new TransferReceiver(
      memory,
      sharedMemory && { reader: sharedMemory.results, taken: (...what) => this.taken(sharedMemory, ...what) },
      clock,
    );
    this.outbox = new Outbox(
      {
        write: (message, taken) => {
          // Encode here, so that the bytes are counted for this member.
          const bytes = Buffer.isBuffer(message) ? message : encodeCoordinatorMessage(message);
          this.tally.bytesSent += bytes.byteLength;
          this.leaving.add(bytes.byteLength, clock.nowMs());
          return stream.write(bytes, () => {
            const { byteLength, ms } = this.leaving.leave(clock.nowMs());
            line.sent.moved(byteLength, ms / 1000, secondsOf(clock));
            taken();
          });
        },
        once: (event, listener) => stream.once(event, listener),
        off: (event, listener) => stream.off(event, listener),
      },
      clock,
    );
  }

  /** @throws TransportError as `TransferReceiver.accept` does */
  accept(chunk: Chunk__Output): void {
    const now = secondsOf(this.clock);
    const { movedAtMs } = this.receiver;
    this.receiver.accept(chunk);
    this.line.received.moved(chunk.data.byteLength, now - movedAtMs! / 1000, now);
  }

  /** Sends the messages of a range of weights, without others between them. */
  sendRange(messages: readonly Buffer[] | Promise<readonly Buffer[]>): void {
    if (this.route) this.route.send(messages);
    else void this.outbox.sendAll(messages);
  }

  /** Resolves when every message so far has left for a connection, or its way has ended. */
  async hasLeft(): Promise<void> {
    await Promise.all([this.outbox.hasLeft(), this.route?.hasLeft()]);
  }

  /** When a message last left for it, in milliseconds; null before the first. */
  get leftAtMs(): number | null {
    const left = [this.leaving, this.route?.leaving].map((messages) => messages?.movedAtMs ?? null);
    return left.reduce((last, ms) => (last === null || (ms !== null && ms > last) ? ms : last), null);
  }

  /** Bytes of the longest message that is next to leave. */
  get leavingBytes(): number {
    return Math.max(this.leaving.nextBytes, this.route?.leaving.nextBytes ?? 0);
  }

  beaten(heartbeat: Heartbeat__Output): void {
    this.tally.beaten(heartbeat);
    this.devices = devicesFrom(heartbeat.devices);
  }

  /** Number of microbatches that it computes at the same time. */
  get capacity(): number {
    return Math.max(1, this.devices.length);
  }

  /** How many times it computes a microbatch one after another to compute so many. */
  roundsFor(microbatches: number): number {
    return Math.ceil(microbatches / this.capacity);
  }

  /** How tensors travel between it and the coordinator. */
  get path(): CoordinatorPath {
    return this.sharedMemory ? 'shared_memory' : 'star';
  }

  get state(): MemberState {
    return this.current;
  }

  /**
   * The only way to change the state.
   * @throws CoordinatorError COORDINATOR_ILLEGAL_TRANSITION when the transition is not allowed
   */
  moveTo(next: MemberState): void {
    if (!transitions[this.current].includes(next)) {
      throw new CoordinatorError(
        'COORDINATOR_ILLEGAL_TRANSITION',
        `${this.label} is ${this.current} and cannot become ${next}, expected ${transitions[this.current].join(' or ') || 'no further state'}`,
      );
    }
    this.current = next;
  }

  /**
   * Writes weights into the memory shared with the worker.
   * @returns their offset in bytes; null when no memory is shared, or no space is left
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
