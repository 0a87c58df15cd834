import type { Clock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import { shorten } from '../../errors.js';
import {
  deviceModelFault,
  type Identity,
  identityDifferences,
  identityFrom,
  wayOut,
  wirePrecisionFault,
} from '../../identity/identity.js';
import { parseAddress } from '../../run/address.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { ExchangeReport__Output } from '../../transport/generated/fcaenet/v1/ExchangeReport.js';
import type { Finish } from '../../transport/generated/fcaenet/v1/Finish.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { Ready__Output } from '../../transport/generated/fcaenet/v1/Ready.js';
import type { Relayed__Output } from '../../transport/generated/fcaenet/v1/Relayed.js';
import type { WorkerMessage__Output } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { bytesOfMessage, damageOf } from '../../transport/service.js';
import type { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';
import { Member, type WorkerStream } from '../dispatch/member.js';
import { devicesFrom } from '../dispatch/member-devices.js';
import type { WorkerFailure, WorkerPool } from '../dispatch/pool.js';
import { expectedRange } from '../exchange/expected-range.js';
import { type Admission, helloFault, instanceOf, nameOf, peerFault } from './hello.js';
import type { Refusals } from './refusals.js';
import type { Connection, WorkerListener } from './worker-listener.js';
import type { WorkerLogs } from './worker-logs.js';

/** Interval of heartbeats of both sides. */
export const heartbeatMs = 2_000;

export interface WorkerStreamsOptions {
  readonly admission: Admission;
  /** The token that workers must send; null when none is required. */
  readonly joinToken: string | null;
  readonly pool: WorkerPool;
  readonly clock: Clock;
  readonly log: Log;
  readonly workerLogs: WorkerLogs;
  readonly refusals: Refusals;
  readonly connections: Connections;
  readonly onIdentity: (identity: Identity, device: string) => void;
}

/** The connections of the streams. */
export type Connections = Pick<
  WorkerListener,
  'connection' | 'helloAccepted' | 'joined' | 'refuse' | 'closeConnection'
>;

/** Longest text that is kept of a worker's failure, in characters. */
const mostFailureLetters = 1_000;

/** The streams of workers, from the hello to the last message. Each message is checked and passed to the pool. */
export class WorkerStreams {
  /** Memory shared with workers of this machine; null when this coordinator starts none. */
  localMemory: LocalWorkerMemory | null = null;
  /** The message that workers get instead of a welcome after the run is over; null before. */
  over: Finish | null = null;
  private readonly connectionOf = new WeakMap<WorkerStream, Connection>();
  private identity: Identity | null;
  private isClosing = false;

  constructor(private readonly options: WorkerStreamsOptions) {
    const { admission, pool } = options;
    this.identity = admission.identity;
    // For the messages that the pool itself sends.
    pool.term = admission.term;
    pool.on('gone', (member) => this.closeConnectionOf(member));
  }

  /** Handles a stream that a peer has opened. */
  accept(stream: WorkerStream): void {
    const { admission, pool, refusals, connections } = this.options;
    let member: Member | null = null;
    const connection = connections.connection(stream.getPeer());
    if (!connection || connection.streaming || connection.state === 'closing') {
      const message = 'this connection already had a stream, expected only one';
      refusals.add('too_many_streams', message, connection?.address ?? stream.getPeer());
      stream.on('error', () => {});
      stream.write({ term: admission.term, refusal: { code: 'TOO_MANY_STREAMS', message } });
      stream.end();
      return;
    }
    connection.streaming = true;
    this.connectionOf.set(stream, connection);
    const depart = (reason: string, failure: WorkerFailure | null = null) => {
      if (member) pool.remove(member, { reason, failure });
    };
    // A cancelled or reset stream first reports an error. 'close' may or may not follow.
    stream.on('error', (error) => depart(`its stream broke (${error.message})`));
    stream.on('close', () => depart('its stream closed'));
    // gRPC cancels a call for a message above the size limit, for one that cannot be decoded, and when the peer
    // cancels.
    stream.on('cancelled', () => {
      depart('its stream was cancelled');
      const fault = 'its call was cancelled, or its message was too large or damaged';
      if (!member) connections.refuse(connection, 'broken_call', fault);
    });
    stream.on('end', () => {
      depart('it ended its stream');
      stream.end();
    });
    stream.on('data', (message: WorkerMessage__Output) => {
      // Messages that a refused worker sent before it received the refusal.
      if (connection.state === 'closing') return;
      const damage = damageOf(message);
      if (damage) {
        // The connection is faulty, not the worker. The worker is not refused and may connect again.
        if (member) pool.emit('answerRejected', member, 'damaged', damage.message);
        else connections.refuse(connection, 'damaged', damage.message);
        depart(damage.message);
        stream.end();
        return;
      }
      try {
        if (!member) member = this.receiveHello(stream, connection, message);
        else this.receive(member, message, depart);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (member) pool.rejectAnswer(member, 'bad_message', reason);
        else this.refuse(stream, 'BAD_MESSAGE', reason);
      }
    });
  }

  /** Call it at every heartbeat. Removes silent workers, and tells the others that the coordinator is alive. */
  beat(): void {
    const { admission, pool } = this.options;
    this.dropSilent();
    for (const { outbox } of pool.all()) {
      // Queued messages show that the coordinator is alive, too. To a peer that does not read, more messages would only
      // use memory.
      if (outbox.isIdle) void outbox.send({ term: admission.term, alive: {} });
    }
  }

  /** Tells every worker that the run is over or paused. Resolves when all messages are sent. */
  async finish(finish: Finish): Promise<void> {
    this.isClosing = true;
    const { admission, pool } = this.options;
    await Promise.all(
      pool.all().map(async (member) => {
        await member.outbox.send({ term: admission.term, finish });
        member.stream.end();
      }),
    );
  }

  private receiveHello(
    stream: WorkerStream,
    connection: Connection,
    message: WorkerMessage__Output,
  ): Member | null {
    const { admission, joinToken, pool, clock, log, connections } = this.options;
    const { hello } = message;
    if (!hello) {
      this.refuse(stream, 'HELLO_MISSING', `the first message was ${message.body ?? 'empty'}, not hello`);
      return null;
    }
    connection.name = nameOf(hello);
    const { over } = this;
    const fault = over === null ? helloFault(hello, admission, joinToken, pool) : peerFault(hello, joinToken);
    if (fault) {
      this.refuse(stream, fault.code, fault.message);
      return null;
    }
    if (over !== null) {
      log.info('told a worker that the run is over', { worker: connection.name });
      stream.write({ term: admission.term, finish: over });
      stream.end();
      connections.closeConnection(connection);
      return null;
    }
    const instanceId = instanceOf(hello);
    // The rest of a stream that was cut silently. Its worker has noticed and is back.
    const earlier = pool.all().find((each) => each.instanceId === instanceId);
    if (earlier) {
      pool.remove(earlier, { reason: 'it reconnected on a new stream', failure: null });
      earlier.stream.end();
    }
    const member = new Member({
      slot: pool.freeSlot(),
      number: pool.nextNumber(),
      name: connection.name,
      instanceId,
      session: hello.session,
      stream,
      memory: pool.memory,
      clock,
      line: pool.line,
      sharedMemory: this.localMemory?.attach(hello.memoryKey) ?? null,
    });
    member.certificateExpiryMs = connection.certificateExpiryMs;
    member.certificateSha256 = connection.certificateSha256;
    member.coordinatorHost = connection.localAddress;
    pool.add(member);
    connections.helloAccepted(connection);
    const welcome = {
      run: admission.run.metadata.name,
      runFile: JSON.stringify(admission.run),
      slot: member.slot,
      heartbeatMs,
      classCount: admission.classCount,
      sharesMemory: member.sharedMemory !== null,
      member: member.number,
      peerKey: member.peerKey,
    };
    void member.outbox.send({ term: admission.term, welcome });
    return member;
  }

  private receive(
    member: Member,
    message: WorkerMessage__Output,
    depart: (reason: string, failure?: WorkerFailure) => void,
  ): void {
    const { pool, clock, workerLogs } = this.options;
    member.lastHeardAtMs = clock.nowMs();
    member.tally.bytesReceived += bytesOfMessage(message);
    const joining = member.state === 'joining';
    const isAnswer = message.chunk || message.nodeResult || message.encodeResult || message.exchange;
    // A joining worker sends its probe once, before any answer.
    if (joining ? isAnswer : message.ready) {
      const when = joining ? 'before' : 'after';
      pool.rejectAnswer(member, 'bad_message', `${message.body} came ${when} the worker was admitted`);
    } else if (message.chunk) member.accept(message.chunk);
    else if (message.ready) this.admit(member, message.ready, depart);
    else if (message.failure) {
      const { code, exitCode } = message.failure;
      const sentence = shorten(message.failure.message, mostFailureLetters);
      depart(`it failed: ${sentence}`, { code, message: sentence, exitCode });
    } else if (message.heartbeat) pool.beaten(member, message.heartbeat);
    else if (message.logLine) workerLogs.write(member, message.logLine);
    else if (message.taken) member.sharedMemory?.weights.taken(message.taken.transfer, member);
    else if (message.leaving) pool.leave(member, shorten(message.leaving.reason));
    else if (message.nodeResult) this.expectNode(member, message.nodeResult);
    else if (message.encodeResult) this.expectEncoded(member, message.encodeResult);
    else if (message.exchange) this.receiveReport(member, message.exchange);
  }

  private expectNode(member: Member, result: NodeResult__Output): void {
    const { pool } = this.options;
    const { level, index } = result.node ?? { level: '?', index: '?' };
    const expected = pool.nodes.expect(result);
    if (expected === 'unknown') {
      pool.rejectAnswer(member, 'unknown_node', `node ${level}/${index} is not part of the step's tree`);
      return;
    }
    const { least, most, take } = expected;
    const announced = result.transfer?.byteLength;
    if (least === most && announced !== most) {
      const sentence = `${announced ?? 'no'} bytes are announced, but node ${level}/${index} has ${most}`;
      pool.rejectAnswer(member, 'wrong_length', sentence);
      return;
    }
    member.receiver.begin(result.transfer, { least, most }, 'a node result', (received) =>
      take(member, result, received),
    );
  }

  private receiveReport(member: Member, report: ExchangeReport__Output): void {
    const { pool } = this.options;
    const { rangeResult, weightsMissing, peerUnreachable, peerReached, relayed } = report;
    if (rangeResult) this.expectRange(member, rangeResult);
    else if (weightsMissing) pool.emit('weightsMissing', member, weightsMissing);
    else if (peerUnreachable || peerReached) {
      const other = pool.byNumber((peerUnreachable ?? peerReached)!.member);
      if (other && peerReached) pool.emit('peerReached', member, other);
      else if (other) pool.emit('peerUnreachable', member, other, shorten(peerUnreachable!.reason));
    } else if (relayed) this.relay(member, relayed);
  }

  private expectRange(member: Member, result: RangeResult__Output): void {
    const { pool } = this.options;
    const expected = expectedRange(pool, member, result);
    if (!expected) return;
    const { take, placeOf, ...allowed } = expected;
    const place = placeOf?.(member, result) ?? null;
    const complete = (received: Uint8Array) =>
      take(member, result, received).then(() => place ?? pool.memory.give(received.buffer));
    member.receiver.begin(result.transfer, allowed, 'a range result', complete, place);
  }

  /** Passes a message on to the peer that its sender cannot reach. It is dropped when the peer is gone. */
  private relay(member: Member, { member: number, message }: Relayed__Output): void {
    const { admission, pool } = this.options;
    const receiver = pool.byNumber(number);
    if (receiver === undefined || receiver.peerAddress === '') return;
    const exchange = { relayed: { member: member.number, message } };
    void receiver.outbox.send({ term: admission.term, exchange });
  }

  private expectEncoded(member: Member, result: EncodeResult__Output): void {
    const { pool } = this.options;
    const expected = pool.encoded.expect(result);
    if (expected === 'unknown') {
      pool.rejectAnswer(member, 'bad_message', `encode batch ${result.batch} is not part of the job`);
      return;
    }
    const { least, most, take } = expected;
    member.receiver.begin(result.transfer, { least, most }, 'an encode result', (received) =>
      take(member, result, received),
    );
  }

  private admit(
    member: Member,
    { identity, device, devices, peerAddress }: Ready__Output,
    depart: (reason: string) => void,
  ): void {
    const { admission, pool, log, connections, onIdentity } = this.options;
    if (!identity) {
      depart('it sent no numerical identity');
      this.refuse(
        member.stream,
        'IDENTITY_MISSING',
        'the worker sent no numerical identity, but must send one when it is ready',
      );
      return;
    }
    const offered = identityFrom(identity);
    const { operation, wire } = admission.run.spec;
    const faults = {
      DEVICE_MODEL: deviceModelFault(offered, operation.membership.deviceModels),
      WIRE_PRECISION: wirePrecisionFault(offered, wire.precision),
    };
    for (const [code, unwanted] of Object.entries(faults)) {
      if (unwanted === null) continue;
      depart(`it was refused: ${unwanted}`);
      this.refuse(member.stream, code, unwanted);
      return;
    }
    this.identity ??= offered;
    const differences = identityDifferences(this.identity, offered);
    if (differences.length > 0) {
      const sentence = `this worker would not compute the run's bits: ${differences.join(', ')}`;
      if (operation.exactness === 'strict') {
        depart(`it was refused: ${sentence}`);
        this.refuse(member.stream, 'NUMERICAL_IDENTITY', `${sentence}; ${wayOut(admission.version)}`);
        return;
      }
      log.warn('worker admitted under best-effort exactness', { worker: member.label, differences });
    }
    onIdentity(offered, device);
    member.engine = {
      name: label(offered.engine),
      version: label(offered.engineVersion),
      device: label(device),
      instructionSet: label(offered.instructionSet),
    };
    member.peerAddress = parseAddress(peerAddress) === undefined ? '' : peerAddress;
    member.devices = devicesFrom(devices);
    void member.outbox.send({ term: admission.term, admitted: {} });
    const { engine, engineVersion } = offered;
    log.info('worker joined', { worker: member.label, engine, engineVersion, device });
    connections.joined(this.connectionOf.get(member.stream)!);
    pool.admit(member);
  }

  private refuse(stream: WorkerStream, code: string, message: string): void {
    if (this.isClosing) return;
    const { admission, connections } = this.options;
    stream.write({ term: admission.term, refusal: { code, message } });
    stream.end();
    const connection = this.connectionOf.get(stream);
    if (connection) connections.refuse(connection, code.toLowerCase(), message);
  }

  private closeConnectionOf(member: Member): void {
    const { stream, sharedMemory } = member;
    if (sharedMemory) this.localMemory?.detach(sharedMemory, member);
    const connection = this.connectionOf.get(stream);
    if (connection && !this.isClosing) this.options.connections.closeConnection(connection);
  }

  /** Removes workers that send nothing, and workers that accept none of the messages queued for them. */
  private dropSilent(): void {
    const { admission, pool, clock } = this.options;
    const silenceMs = 1000 * admission.run.spec.operation.membership.silenceSeconds;
    for (const member of pool.all()) {
      const silentMs = clock.nowMs() - member.lastHeardAtMs;
      const { stalledMs } = member.outbox;
      if (Math.max(silentMs, stalledMs) <= silenceMs) continue;
      const [did, ms] = stalledMs > silentMs ? ['read', stalledMs] : ['said', silentMs];
      const reason = `it ${did} nothing for ${Math.round(ms / 1000)} s`;
      pool.remove(member, { reason, failure: null });
      member.stream.end();
    }
  }
}

/** A worker's description of itself, cut to a label's length. */
function label(claimed: string): string {
  return claimed.slice(0, 60);
}
