import { setTimeout } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { Log } from '../../console/log.js';
import { type Identity, identityDifferences } from '../../identity/identity.js';
import { formatAddress, isLoopback, parseAddress } from '../../run/address.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { EncodeResult__Output } from '../../transport/generated/fcaenet/v1/EncodeResult.js';
import type { NodeResult__Output } from '../../transport/generated/fcaenet/v1/NodeResult.js';
import type { WorkerMessage__Output } from '../../transport/generated/fcaenet/v1/WorkerMessage.js';
import { isJoinToken, joinTokenVariable } from '../../transport/join-token.js';
import {
  bytesOfMessage,
  channelOptions,
  coordinatorService,
  damageOf,
  protocolVersion,
  type Traffic,
} from '../../transport/service.js';
import type { TlsMaterial } from '../../transport/tls-files.js';
import { Member, type WorkerStream } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';
import type { NeighbourMemory } from '../dispatch/shared-worker-memory.js';
import { CoordinatorError } from '../error.js';
import { Door, type HandshakeLimits, handshakeLimits, type Visitor } from './handshake.js';
import { Refusals } from './refusals.js';
import { WorkerLogs } from './worker-logs.js';

/** How often workers say that they live. */
const heartbeatMs = 2_000;
/** A worker needs one; a second is refused with the reason, and more by HTTP/2 itself. */
const mostStreams = 4;
/** A connection without a stream is no worker's. */
const idleMs = 60_000;
/** How long workers have to take leave when the run ends. */
const goodbyeMs = 1_000;

/** What the server needs to know of the run to admit workers. */
export interface Admission {
  readonly run: TrainingRun;
  readonly term: number;
  readonly datasetFingerprint: string;
  readonly classCount: number;
  /** The run's numerical identity; null where its first worker sets it. */
  readonly identity: Identity | null;
}

/** What a worker must have to be heard; null asks for nothing. */
export interface Protection {
  readonly tls: TlsMaterial | null;
  readonly joinToken: string | null;
}

/** The gRPC side of the coordinator: accepts workers, checks them, and passes what they send to the pool. */
export class CoordinatorServer {
  readonly traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  readonly refusals: Refusals;
  private readonly server = new grpc.Server({
    ...channelOptions,
    'grpc.max_concurrent_streams': mostStreams,
    'grpc.max_connection_idle_ms': idleMs,
  });
  private readonly door: Door;
  private readonly visitors = new WeakMap<WorkerStream, Visitor>();
  readonly workerLogs: WorkerLogs;
  /** What is shared with workers of this machine; null where none are started here. */
  neighbours: NeighbourMemory | null = null;
  private identity: Identity | null;
  private watch: NodeJS.Timeout | undefined;
  private closing = false;

  constructor(
    private readonly admission: Admission,
    private readonly pool: WorkerPool,
    private readonly log: Log,
    private readonly onIdentity: (identity: Identity, device: string) => void,
    private readonly protection: Protection,
    limits: HandshakeLimits = handshakeLimits,
  ) {
    this.identity = admission.identity;
    this.refusals = new Refusals(log, () => performance.now());
    // TLS ends at the door, so that gRPC sees the connections of workers alone.
    const connections = this.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.door = new Door({
      tls: protection.tls,
      limits,
      admit: (socket) => connections.injectConnection(socket),
      onRefused: (reason, sentence, { address, name }) => {
        const wasLogged = this.refusals.add(reason, sentence, address);
        if (wasLogged && name !== null) pool.emit('turnedAway', name, reason.toUpperCase(), sentence);
      },
    });
    pool.on('gone', (member) => this.dismiss(member));
    this.workerLogs = new WorkerLogs(log);
    // For what the pool itself says to a worker.
    pool.term = admission.term;
    this.server.addService(coordinatorService(this.traffic), {
      Join: (stream: WorkerStream) => this.accept(stream),
    });
  }

  /**
   * Starts to listen.
   * @returns the address workers dial
   * @throws CoordinatorError beyond loopback without certificates or join token: plain text never leaves the machine
   * @throws TransportError when the port is taken
   */
  async listen(address: string): Promise<string> {
    // The run file's schema has checked the form.
    const { host, port } = parseAddress(address)!;
    if (!isLoopback(host)) {
      const { tls, joinToken } = this.protection;
      const loopback = `so the coordinator only listens on loopback, such as 127.0.0.1:${port}`;
      if (tls === null) {
        throw new CoordinatorError(
          'COORDINATOR_PLAIN_TEXT_REFUSED',
          `spec.operation.listen is ${address}, but spec.operation.tls names no certificates, ${loopback}`,
        );
      }
      if (joinToken === null) {
        throw new CoordinatorError(
          'COORDINATOR_JOIN_TOKEN_MISSING',
          `spec.operation.listen is ${address}, but there is no join token (--join-token-file or ${joinTokenVariable}), ${loopback}`,
        );
      }
    }
    const bound = await this.door.listen(host, port);
    this.watch = setInterval(() => {
      this.dropSilent();
      for (const { outbox } of this.pool.all()) {
        // What is on its way is as good a sign of life; to one that does not read, more would only pile up.
        if (outbox.isIdle) void outbox.send({ term: this.admission.term, alive: {} });
      }
    }, heartbeatMs);
    return formatAddress(host, bound);
  }

  /**
   * Tells every worker that the run is over, or that it may be gone on with later, then closes the port. Waits no
   * longer than a second for workers that no longer listen.
   */
  async close(reason: string, resumable: boolean): Promise<void> {
    this.closing = true;
    clearInterval(this.watch);
    this.door.close();
    const { term } = this.admission;
    const told = Promise.all(
      this.pool.all().map(async (member) => {
        await member.outbox.send({ term, finish: { reason, resumable } });
        member.stream.end();
      }),
    );
    await Promise.race([told, setTimeout(goodbyeMs)]);
    const closed = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    await Promise.race([closed, setTimeout(goodbyeMs)]);
    // A connection that was cut without a word does not close even now; nobody waits for it.
    this.server.forceShutdown();
  }

  private accept(stream: WorkerStream): void {
    let member: Member | null = null;
    const visitor = this.door.visitor(stream.getPeer());
    if (!visitor || visitor.streaming || visitor.state === 'refused') {
      const message = 'this connection has had its stream, and a worker needs one';
      this.refusals.add('too_many_streams', message, visitor?.address ?? stream.getPeer());
      stream.on('error', () => {});
      stream.write({ term: this.admission.term, refusal: { code: 'TOO_MANY_STREAMS', message } });
      stream.end();
      return;
    }
    visitor.streaming = true;
    this.visitors.set(stream, visitor);
    const depart = (reason: string, failure: { code: string; exitCode: number } | null = null) => {
      if (member) this.pool.remove(member, { reason, failure });
    };
    // A stream that was cancelled or reset reports an error first; 'close' may follow or not.
    stream.on('error', (error) => depart(`its stream broke (${error.message})`));
    stream.on('close', () => depart('its stream closed'));
    // gRPC's own verdict: a message above the limit, one that does not decode, a call that was cancelled.
    stream.on('cancelled', () => {
      depart('its stream was cancelled');
      const fault = 'its call was cancelled, or its message was too large or damaged';
      if (!member) this.door.refuse(visitor, 'broken_call', fault);
    });
    stream.on('end', () => {
      depart('it ended its stream');
      stream.end();
    });
    stream.on('data', (message: WorkerMessage__Output) => {
      // What a refused worker had sent before it heard of it.
      if (visitor.state === 'refused') return;
      const damage = damageOf(message);
      if (damage) {
        // The line is to blame, not the worker: it is not refused, and may connect again.
        if (member) this.pool.emit('refused', member, 'damaged', damage.message);
        else this.door.refuse(visitor, 'damaged', damage.message);
        depart(damage.message);
        stream.end();
        return;
      }
      try {
        if (!member) member = this.greet(stream, message);
        else this.receive(member, message, depart);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (member) this.pool.refuse(member, 'bad_message', reason);
        else this.refuse(stream, 'BAD_MESSAGE', reason);
      }
    });
  }

  private greet(stream: WorkerStream, message: WorkerMessage__Output): Member | null {
    const { run, term, datasetFingerprint, classCount } = this.admission;
    const hello = message.hello;
    if (!hello) {
      this.refuse(stream, 'HELLO_MISSING', `the first message was ${message.body ?? 'empty'}, not hello`);
      return null;
    }
    const name = hello.workerName.slice(0, 100).replace(/[^\w.:-]/g, '_');
    this.visitors.get(stream)!.name = name;
    if (hello.protocolVersion !== protocolVersion) {
      this.refuse(
        stream,
        'PROTOCOL_VERSION',
        `the worker speaks protocol version ${hello.protocolVersion}, the coordinator ${protocolVersion}`,
      );
      return null;
    }
    const { joinToken } = this.protection;
    if (joinToken !== null && !isJoinToken(joinToken, hello.joinToken)) {
      const [code, what] =
        hello.joinToken === '' ? ['JOIN_TOKEN_MISSING', 'no'] : ['JOIN_TOKEN_WRONG', 'another'];
      this.refuse(stream, code, `the worker has ${what} join token than the run's`);
      return null;
    }
    if (hello.datasetFingerprint !== datasetFingerprint) {
      this.refuse(
        stream,
        'DATASET_FINGERPRINT',
        `the worker's dataset has fingerprint ${short(hello.datasetFingerprint)}, the run's ${short(datasetFingerprint)}: both need the same images, labels and split`,
      );
      return null;
    }
    const { maxWorkers } = run.spec.operation.membership;
    if (this.pool.all().length >= maxWorkers) {
      this.refuse(
        stream,
        'TOO_MANY_WORKERS',
        `the run already has ${maxWorkers} workers, as many as spec.operation.membership.maxWorkers allows`,
      );
      return null;
    }
    const instance = hello.instanceId.slice(0, 64);
    const fault = this.pool.whySetAside(instance);
    if (fault !== null) {
      this.refuse(stream, 'SET_ASIDE', `the worker was set aside: ${fault}`);
      return null;
    }
    const twin = this.pool.all().find(({ instanceId }) => instanceId === instance);
    if (twin && twin.session >= hello.session) {
      this.refuse(
        stream,
        'SESSION_SUPERSEDED',
        `the worker opened session ${hello.session}, but its session ${twin.session} is there already`,
      );
      return null;
    }
    // What is left of a stream that was cut without a word; its worker has noticed and is back.
    if (twin) {
      this.pool.remove(twin, { reason: 'it came back on a new stream', failure: null });
      twin.stream.end();
    }
    const member = new Member(
      this.pool.freeSlot(),
      name,
      instance,
      hello.session,
      stream,
      this.pool.memory,
      Date.now(),
      this.neighbours?.enter(hello.memoryKey),
    );
    this.pool.add(member);
    this.door.welcome(this.visitors.get(stream)!);
    const welcome = {
      run: run.metadata.name,
      runFile: JSON.stringify(run),
      slot: member.slot,
      heartbeatMs,
      classCount,
      sharesMemory: member.neighbour !== null,
    };
    void member.outbox.send({ term, welcome });
    return member;
  }

  private receive(
    member: Member,
    message: WorkerMessage__Output,
    depart: (reason: string, failure?: { code: string; exitCode: number }) => void,
  ): void {
    member.lastHeardAt = Date.now();
    member.tally.bytesReceived += bytesOfMessage(message);
    const { pool } = this;
    const joining = member.state === 'joining';
    const isAnswer = message.chunk || message.nodeResult || message.encodeResult;
    // The probe has not been seen yet, or was seen and would be a second one.
    if (joining ? isAnswer : message.ready) {
      const when = joining ? 'before' : 'after';
      pool.refuse(member, 'bad_message', `${message.body} came ${when} the worker was admitted`);
    } else if (message.chunk) member.receiver.accept(message.chunk);
    else if (message.ready) this.admit(member, message.ready.identity, message.ready.device, depart);
    else if (message.failure) {
      const { code, exitCode } = message.failure;
      depart(`it failed: ${message.failure.message}`, { code, exitCode });
    } else if (message.heartbeat) {
      const { imagesDecoded, imagesFromCache } = message.heartbeat;
      member.tally.images(imagesDecoded, imagesFromCache);
    } else if (message.logLine) this.workerLogs.write(member, message.logLine);
    else if (message.taken) member.neighbour?.weights.taken(message.taken.transfer, member);
    else if (message.leaving) pool.leave(member, message.leaving.reason);
    else if (message.nodeResult) this.expectNode(member, message.nodeResult);
    else if (message.encodeResult) this.expectEncoded(member, message.encodeResult);
  }

  private expectNode(member: Member, result: NodeResult__Output): void {
    const { pool } = this;
    const { level, index } = result.node ?? { level: '?', index: '?' };
    const expected = pool.nodes.expect(result);
    if (expected === 'unknown') {
      pool.refuse(member, 'unknown_node', `node ${level}/${index} is not part of the step's tree`);
      return;
    }
    const { least, most, take } = expected;
    const announced = result.transfer?.byteLength;
    if (least === most && announced !== most) {
      const sentence = `${announced ?? 'no'} bytes are announced where node ${level}/${index} has ${most}`;
      pool.refuse(member, 'wrong_length', sentence);
      return;
    }
    member.receiver.begin(result.transfer, { least, most }, 'a node result', (received) =>
      take(member, result, received),
    );
  }

  private expectEncoded(member: Member, result: EncodeResult__Output): void {
    const { pool } = this;
    const expected = pool.encoded.expect(result);
    if (expected === 'unknown') {
      pool.refuse(member, 'bad_message', `encode batch ${result.batch} is not part of the job`);
      return;
    }
    const { least, most, take } = expected;
    member.receiver.begin(result.transfer, { least, most }, 'an encode result', (received) =>
      take(member, result, received),
    );
  }

  private admit(
    member: Member,
    identity: object | null,
    device: string,
    depart: (reason: string) => void,
  ): void {
    const { admission } = this;
    if (!identity) {
      depart('it sent no numerical identity');
      this.refuse(member.stream, 'IDENTITY_MISSING', 'the worker sent no numerical identity');
      return;
    }
    const offered = identity as Identity;
    this.identity ??= offered;
    const differences = identityDifferences(this.identity, offered);
    if (differences.length > 0) {
      const sentence = `this worker would not give the run's bits: ${differences.join(', ')}`;
      if (admission.run.spec.operation.exactness === 'strict') {
        depart(`it was refused: ${sentence}`);
        this.refuse(
          member.stream,
          'NUMERICAL_IDENTITY',
          `${sentence}; spec.operation.exactness=best-effort admits it`,
        );
        return;
      }
      this.log.warn('admitted under best-effort exactness', { worker: member.label, differences });
    }
    this.onIdentity(offered, device);
    member.engine = {
      name: label(offered.engine),
      version: label(offered.engineVersion),
      device: label(device),
      instructionSet: label(offered.instructionSet),
    };
    void member.outbox.send({ term: admission.term, admitted: {} });
    const { engine, engineVersion } = offered;
    this.log.info('worker joined', { worker: member.label, engine, engineVersion, device });
    this.door.admit(this.visitors.get(member.stream)!);
    this.pool.admit(member);
  }

  private refuse(stream: WorkerStream, code: string, message: string): void {
    if (this.closing) return;
    stream.write({ term: this.admission.term, refusal: { code, message } });
    stream.end();
    const visitor = this.visitors.get(stream);
    if (visitor) this.door.refuse(visitor, code.toLowerCase(), message);
  }

  private dismiss(member: Member): void {
    const { stream, neighbour } = member;
    if (neighbour) this.neighbours?.leave(neighbour, member);
    const visitor = this.visitors.get(stream);
    if (visitor && !this.closing) this.door.dismiss(visitor);
  }

  /** Gives up who says nothing, and who takes nothing of what waits for it in this process's memory. */
  private dropSilent(): void {
    const now = Date.now();
    const silenceMs = 1000 * this.admission.run.spec.operation.membership.silenceSeconds;
    for (const member of this.pool.all()) {
      const silentMs = now - member.lastHeardAt;
      const { stalledMs } = member.outbox;
      if (Math.max(silentMs, stalledMs) <= silenceMs) continue;
      const [did, ms] = stalledMs > silentMs ? ['read', stalledMs] : ['said', silentMs];
      const reason = `it ${did} nothing for ${Math.round(ms / 1000)} s`;
      this.pool.remove(member, { reason, failure: null });
      member.stream.end();
    }
  }
}

/** What a worker says of itself, no longer than a label should be. */
function label(claimed: string): string {
  return claimed.slice(0, 60);
}

function short(digest: string): string {
  return `${digest.slice(0, 12)}…`;
}
