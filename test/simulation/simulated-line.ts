import { EventEmitter } from 'node:events';
import type { WorkerStream } from '../../src/coordinator/dispatch/member.js';
import type {
  CoordinatorMessage,
  CoordinatorMessage__Output,
} from '../../src/transport/generated/fcaenet/v1/CoordinatorMessage.js';
import type { TrainingDefinition } from '../../src/transport/generated/fcaenet/v1/Training.js';
import type { WorkerMessage } from '../../src/transport/generated/fcaenet/v1/WorkerMessage.js';
import { coordinatorService, type Traffic, TrainingClientType } from '../../src/transport/service.js';
import type { Chance } from './chance.js';
import type { SimulatedProcess, SimulatedTime } from './simulated-clock.js';
import type { SimulatedLink } from './simulated-link.js';

const { Join: workerSide } = (TrainingClientType as unknown as { service: TrainingDefinition }).service;

/** How a line carries messages. */
export interface LineManners {
  /** Milliseconds that a message takes, drawn between these for each. */
  readonly leastMs: number;
  readonly mostMs: number;
  /** How often the coordinator's end says that its buffer is full. */
  readonly fullness: number;
}

/** Both directions of the coordinator's network, seen from a worker. */
export interface SimulatedLinks {
  readonly up: SimulatedLink;
  readonly down: SimulatedLink;
}

/** Messages of one connection that wait for the network before its stream says that its buffer is full. */
const mostWaiting = 2;

/** What a worker's end of a line tells it. */
export interface WorkerEndListener {
  message(message: CoordinatorMessage__Output): void;
  /** The stream is over; nothing comes any more. */
  closed(): void;
}

/**
 * One stream between a worker and a coordinator. Messages are encoded and decoded as on the wire, arrive in order, and
 * take as long as chance says, and as the network takes that all lines share; the two directions are independent.
 */
export class SimulatedLine {
  readonly coordinatorEnd: CoordinatorEnd;
  private readonly up: Direction;
  private readonly down: Direction;
  private isClosed = false;

  constructor(
    readonly peer: string,
    time: SimulatedTime,
    chance: Chance,
    readonly manners: LineManners,
    links: SimulatedLinks,
    worker: SimulatedProcess,
    coordinator: SimulatedProcess,
    private readonly listener: WorkerEndListener,
    traffic: Traffic,
  ) {
    const { Join } = coordinatorService(traffic);
    this.coordinatorEnd = new CoordinatorEnd(
      peer,
      (bytes, left) => this.down.send(bytes, (arrived) => this.arriveAtWorker(arrived), left),
      () => this.down.waiting > mostWaiting,
      (message) => Join.responseSerialize(message as CoordinatorMessage),
      () => this.closeAfter(this.down),
      () => (chance.happens(manners.fullness) ? chance.between(1, 200) : 0),
      coordinator,
    );
    this.up = new Direction(time, chance, manners, links.up, coordinator);
    this.down = new Direction(time, chance, manners, links.down, worker);
    this.upwards = (bytes) =>
      this.up.send(bytes, (arrived) => this.coordinatorEnd.emit('data', Join.requestDeserialize(arrived)));
    // The system closes the connections of a process that is gone; the other side sees it a moment later.
    worker.whenEnded(() => this.cut());
    coordinator.whenEnded(() => this.cut());
  }

  private readonly upwards: (bytes: Buffer) => void;

  get isOpen(): boolean {
    return !this.isClosed;
  }

  /** Whether the network has not carried everything yet. */
  get isCarrying(): boolean {
    return this.up.waiting > 0 || this.down.waiting > 0;
  }

  send(message: WorkerMessage): void {
    if (!this.isClosed) this.upwards(workerSide.requestSerialize(message));
  }

  /** Changes one bit of the next message in a direction. */
  damageNext(direction: 'up' | 'down'): void {
    this[direction].damageNext();
  }

  /** Breaks the line. Both ends hear of it, each after as long as a message takes. */
  cut(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.up.close(() => this.coordinatorEnd.emit('close'));
    this.down.close(() => this.listener.closed());
  }

  /** The coordinator has ended the stream: what is on its way arrives first. */
  private closeAfter(direction: Direction): void {
    direction.whenArrived(() => this.cut());
  }

  private arriveAtWorker(bytes: Buffer): void {
    let message: CoordinatorMessage__Output;
    try {
      message = workerSide.responseDeserialize(bytes);
    } catch {
      // A damaged message ends the call, as gRPC does it.
      this.cut();
      return;
    }
    this.listener.message(message);
  }
}

/** One direction of a line: first in, first out. */
class Direction {
  private lastArrivalMs = 0;
  private isClosed = false;
  private damages = false;

  constructor(
    private readonly time: SimulatedTime,
    private readonly chance: Chance,
    private readonly manners: LineManners,
    private readonly link: SimulatedLink,
    private readonly receiver: SimulatedProcess,
  ) {}

  damageNext(): void {
    this.damages = true;
  }

  /** Number of messages that have not left. */
  get waiting(): number {
    return this.link.waitingOf(this);
  }

  send(bytes: Buffer, arrive: (bytes: Buffer) => void, left = () => {}): void {
    if (this.isClosed) return;
    let sent = Buffer.from(bytes);
    if (this.damages && sent.byteLength > 8) {
      this.damages = false;
      sent = Buffer.from(sent);
      const place = this.chance.below(sent.byteLength);
      sent[place]! ^= 1 << this.chance.below(8);
    }
    this.link.carry(this, sent.byteLength, () => {
      this.deliver(() => !this.isClosed && arrive(sent));
      left();
    });
  }

  whenArrived(action: () => void): void {
    this.link.carry(this, 0, () => this.deliver(action));
  }

  close(told: () => void): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.link.drop(this);
    this.deliver(told);
  }

  private deliver(action: () => void): void {
    const { leastMs, mostMs } = this.manners;
    const arrivalMs = this.time.nowMs + this.chance.between(leastMs, mostMs);
    this.lastArrivalMs = Math.max(this.lastArrivalMs, arrivalMs);
    this.time.after(this.lastArrivalMs - this.time.nowMs, () => this.receiver.carryOut(action));
  }
}

/** The coordinator's end, as gRPC's stream. */
class CoordinatorEnd extends EventEmitter {
  private hasEnded = false;
  private isFull = false;

  constructor(
    private readonly peer: string,
    private readonly send: (bytes: Buffer, left: () => void) => void,
    private readonly hasFilled: () => boolean,
    private readonly encode: (message: object) => Buffer,
    private readonly close: () => void,
    private readonly fullForMs: () => number,
    private readonly process: SimulatedProcess,
  ) {
    super();
    this.setMaxListeners(0);
  }

  getPeer(): string {
    return this.peer;
  }

  write(message: object | Buffer, taken?: () => void): boolean {
    if (this.hasEnded) return true;
    this.send(Buffer.isBuffer(message) ? message : this.encode(message), () => this.left(taken));
    if (this.hasFilled()) {
      this.isFull = true;
      return false;
    }
    const fullForMs = this.fullForMs();
    if (fullForMs > 0) this.process.after(fullForMs, () => this.emit('drain'));
    return fullForMs === 0;
  }

  private left(taken = () => {}): void {
    this.process.carryOut(() => {
      queueMicrotask(taken);
      if (!this.isFull || this.hasFilled()) return;
      this.isFull = false;
      this.emit('drain');
    });
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.close();
  }

  /** As the type that members are made with. */
  get asStream(): WorkerStream {
    return this as unknown as WorkerStream;
  }
}
