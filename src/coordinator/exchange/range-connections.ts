import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { bytesOf } from '../../transport/bytes.js';
import { coordinatorNumber, type Peer } from '../../transport/peers/identity.js';
import { callPatience, nextPauseMs } from '../../transport/peers/patience.js';
import type { Traffic } from '../../transport/service.js';
import { Carrier } from '../carrier/carrier.js';
import type { ArrivedRange, CarrierOptions } from '../carrier/messages.js';
import { LeavingMessages } from '../dispatch/leaving-messages.js';
import type { Member, RangeRoute } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';
import { expectedRange } from './expected-range.js';

const { connectMs, connectAgainMs, firstPauseMs } = callPatience;
/** The call to a worker that leaves may end before its stream, which is no news. So its loss is said so much later, in milliseconds. */
const sayMs = 250;

/** A way to one worker. */
interface Way {
  readonly member: Member;
  /** Null between two attempts to connect. */
  connection: number | null;
  route: Route | null;
  /** Whether the member was lost and has not been reached since. */
  isLost: boolean;
  pauseMs: number;
  /** Ends the pause, and what is still to be said. */
  cancel: () => void;
}

export interface RangeConnectionsOptions {
  readonly carrier: CarrierOptions;
  readonly pool: WorkerPool;
  readonly clock: Clock;
  /** Counts the messages with those of the workers' own streams. */
  readonly traffic: Traffic;
  readonly openCarrier?: (...args: ConstructorParameters<typeof Carrier>) => OpenCarrier;
}

type OpenCarrier = Pick<Carrier, 'connect' | 'disconnect' | 'send' | 'close'>;

/**
 * The connections that carry ranges between this process and the members of the exchange. A member that cannot be reached
 * sends and gets its ranges over its own stream, and is tried again.
 */
export class RangeConnections {
  private readonly ways = new Map<Member, Way>();
  private readonly connections = new Map<number, Way>();
  private lastConnection = 0;
  private readonly carrier: OpenCarrier;
  private readonly self: Peer;
  private isOver = false;
  /** Called when members must be told anew whether this process connects to them. */
  onChange = () => {};

  constructor(private readonly options: RangeConnectionsOptions) {
    const { openCarrier = (...args) => new Carrier(...args) } = options;
    const { identity } = options.carrier;
    const certificateSha256 = identity.tls
      ? createHash('sha256').update(new X509Certificate(identity.tls.certificate).raw).digest()
      : Buffer.alloc(0);
    this.self = { member: coordinatorNumber, address: '', key: Buffer.alloc(0), certificateSha256 };
    options.pool.on('gone', (member) => {
      const way = this.ways.get(member);
      this.ways.delete(member);
      if (way) this.end(way);
    });
    this.carrier = openCarrier(options.carrier, {
      opened: (connection) => this.opened(connection),
      lost: (connection, ...why) => this.lost(connection, ...why),
      left: (connection) => this.connections.get(connection)?.route?.left(),
      arrived: (connection, range) => this.arrived(connection, range),
      failed: (reason) => {
        this.isOver = true;
        for (const connection of [...this.connections.keys()]) this.lost(connection, reason, true);
      },
    });
  }

  /** Connects to members that take part. A connection lasts as long as its member is there: who is late takes part again. */
  follow(members: readonly Member[]): void {
    for (const member of members) {
      if (this.ways.has(member) || member.sharedMemory || this.isOver) continue;
      const way = {
        ...{ member, connection: null, route: null, isLost: false },
        ...{ pauseMs: firstPauseMs, cancel: () => {} },
      };
      this.ways.set(member, way);
      this.connect(way, connectMs);
    }
  }

  /** How a member is told of this process; null while no call to it is made. */
  selfFor(member: Member): Peer | null {
    return (this.ways.get(member)?.connection ?? null) === null ? null : this.self;
  }

  async close(): Promise<void> {
    this.isOver = true;
    for (const { cancel } of this.ways.values()) cancel();
    await this.carrier.close();
  }

  private connect(way: Way, limitMs: number): void {
    const { peerAddress: address, number, peerKey: key, certificateSha256 } = way.member;
    way.connection = ++this.lastConnection;
    this.connections.set(way.connection, way);
    this.carrier.connect(way.connection, { member: number, address, key, certificateSha256 }, limitMs);
  }

  private opened(connection: number): void {
    const way = this.connections.get(connection);
    if (!way) return;
    const { member } = way;
    const route = new Route(member, this.options, (messages) => this.carrier.send(connection, messages));
    way.route = route;
    member.route = route;
    way.pauseMs = firstPauseMs;
    if (way.isLost) this.options.pool.emit('reached', member);
    way.isLost = false;
  }

  private lost(connection: number, reason: string, isRefused: boolean): void {
    const way = this.connections.get(connection);
    if (!way) return;
    const { pool, clock } = this.options;
    const { member, pauseMs, isLost } = way;
    const wasOpen = way.route !== null;
    this.end(way);
    way.isLost = true;
    // Before anything is asked of it again: from now on it answers over its own stream.
    this.onChange();
    pool.emit('rangesLost', member);
    const say = () => pool.emit('unreachable', member, reason);
    if (!isLost && !wasOpen) say();
    const cancels = [
      ...(wasOpen ? [clock.after(sayMs, say)] : []),
      ...(isRefused ? [] : [clock.after(pauseMs, () => this.connectAgain(way))]),
    ];
    way.cancel = () => {
      for (const cancel of cancels) cancel();
    };
    way.pauseMs = nextPauseMs(pauseMs);
  }

  private connectAgain(way: Way): void {
    if (this.isOver) return;
    this.connect(way, connectAgainMs);
    this.onChange();
  }

  private end(way: Way): void {
    way.cancel();
    if (way.connection !== null) {
      this.carrier.disconnect(way.connection);
      this.connections.delete(way.connection);
    }
    way.connection = null;
    way.member.route = null;
    way.route?.end();
    way.route = null;
  }

  private async arrived(connection: number, arrived: ArrivedRange): Promise<void> {
    const member = this.connections.get(connection)?.member;
    if (!member || member.state === 'gone') return;
    const { pool, clock, traffic } = this.options;
    const { result, sum, messageBytes, seconds } = arrived;
    const now = clock.nowMs();
    member.lastHeardAtMs = now;
    member.tally.bytesReceived += messageBytes;
    traffic.receivedBytes += messageBytes;
    pool.line.received.moved(messageBytes, seconds, now / 1000);
    const expected = expectedRange(pool, member, result);
    if (!expected) return;
    const { least, most, take } = expected;
    if (sum.byteLength >= least && sum.byteLength <= most) await take(member, result, bytesOf(sum));
    else {
      const wanted = least === most ? most : `${least} to ${most}`;
      const sentence = `a range result has ${sum.byteLength} bytes, expected ${wanted}`;
      pool.rejectAnswer(member, 'bad_message', sentence);
    }
  }
}

/** Ranges on their way to one member. */
class Route implements RangeRoute {
  readonly leaving = new LeavingMessages();
  private tail: Promise<void> = Promise.resolve();
  private queued = 0;
  private isOver = false;
  private awaited: (() => void)[] = [];

  constructor(
    private readonly member: Member,
    private readonly options: Pick<RangeConnectionsOptions, 'pool' | 'clock' | 'traffic'>,
    private readonly pass: (messages: readonly Buffer[]) => void,
  ) {}

  send(messages: readonly Buffer[] | Promise<readonly Buffer[]>): void {
    this.tail = this.tail.then(async () => {
      const encoded = await Promise.resolve(messages).catch(() => []);
      if (this.isOver) return;
      const { clock, traffic } = this.options;
      for (const { byteLength } of encoded) {
        this.leaving.add(byteLength, clock.nowMs());
        this.queued++;
        this.member.tally.bytesSent += byteLength;
        traffic.sentBytes += byteLength;
      }
      this.pass(encoded);
    });
  }

  /** The next message has left. */
  left(): void {
    const { pool, clock } = this.options;
    const nowMs = clock.nowMs();
    const { byteLength, ms } = this.leaving.leave(nowMs);
    pool.line.sent.moved(byteLength, ms / 1000, nowMs / 1000);
    if (--this.queued === 0) this.settle();
  }

  async hasLeft(): Promise<void> {
    await this.tail;
    if (this.queued > 0 && !this.isOver) await new Promise<void>((resolve) => this.awaited.push(resolve));
  }

  end(): void {
    this.isOver = true;
    this.settle();
  }

  private settle(): void {
    for (const resolve of this.awaited.splice(0)) resolve();
  }
}
