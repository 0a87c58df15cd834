import { setTimeout } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { Log } from '../console/log.js';
import { formatAddress, isLoopback, parseAddress } from '../run/address.js';
import type { TrainingRun } from '../run/training-run.js';
import { TransportError } from '../transport/error.js';
import type { WorkerMessage__Output } from '../transport/generated/fcaenet/v1/WorkerMessage.js';
import {
  channelOptions,
  coordinatorService,
  damageOf,
  protocolVersion,
  type Traffic,
} from '../transport/service.js';
import { CoordinatorError } from './error.js';
import { type Identity, identityDifferences } from './identity.js';
import { Member, type WorkerStream } from './member.js';
import type { WorkerPool } from './pool.js';
import { WorkerLogs } from './worker-logs.js';

/** How often workers say that they live. */
const heartbeatMs = 2_000;
/** How long workers have to take leave when the run ends. */
const goodbyeMs = 1_000;

/** What the server needs to know of the run to admit workers. */
export interface Admission {
  readonly run: TrainingRun;
  readonly term: number;
  readonly datasetFingerprint: string;
  readonly classCount: number;
  /** The run's numerical identity: null until its first worker, which sets it. */
  identity: Identity | null;
}

/** The gRPC side of the coordinator: accepts workers, checks them, and passes what they send to the pool. */
export class CoordinatorServer {
  readonly traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  readonly workerLogs: WorkerLogs;
  private readonly server = new grpc.Server(channelOptions);
  private watch: NodeJS.Timeout | undefined;
  private closing = false;

  constructor(
    private readonly admission: Admission,
    private readonly pool: WorkerPool,
    private readonly log: Log,
    private readonly onIdentity: (identity: Identity, device: string) => void,
  ) {
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
   * @throws CoordinatorError when the address is not loopback: plain text never leaves the machine
   * @throws TransportError when the port is taken
   */
  async listen(address: string): Promise<string> {
    // The run file's schema has checked the form.
    const { host, port } = parseAddress(address)!;
    if (!isLoopback(host)) {
      throw new CoordinatorError(
        'COORDINATOR_PLAIN_TEXT_REFUSED',
        `spec.operation.listen is ${address}, but without certificates the coordinator only listens on loopback, such as 127.0.0.1:${port}`,
      );
    }
    const bound = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, actual) => {
        if (!error) resolve(actual);
        else if (/EADDRINUSE|in use|No address added/i.test(error.message)) {
          reject(
            new TransportError(
              'TRANSPORT_PORT_IN_USE',
              `port ${port} on ${host} is in use; choose another with --set spec.operation.listen=HOST:PORT (port 0 takes any free one)`,
              { cause: error },
            ),
          );
        } else {
          reject(
            new TransportError('TRANSPORT_CANNOT_LISTEN', `cannot listen on ${address}: ${error.message}`, {
              cause: error,
            }),
          );
        }
      });
    });
    this.watch = setInterval(() => {
      this.dropSilent();
      for (const member of this.pool.all()) void member.outbox.send({ term: this.admission.term, alive: {} });
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
    const depart = (reason: string, failure: { code: string; exitCode: number } | null = null) => {
      if (member) this.pool.remove(member, { reason, failure });
    };
    // A stream that was cancelled or reset reports an error first; 'close' may follow or not.
    stream.on('error', (error) => depart(`its stream broke (${error.message})`));
    stream.on('close', () => depart('its stream closed'));
    stream.on('end', () => {
      depart('it ended its stream');
      stream.end();
    });
    stream.on('data', (message: WorkerMessage__Output) => {
      const damage = damageOf(message);
      if (damage) {
        // The line is to blame, not the worker: it is not refused, and may connect again.
        if (member) this.pool.emit('refused', member, 'damaged', damage.message);
        else this.log.warn('refused a worker', { code: damage.code, reason: damage.message });
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
    if (hello.protocolVersion !== protocolVersion) {
      this.refuse(
        stream,
        'PROTOCOL_VERSION',
        `the worker speaks protocol version ${hello.protocolVersion}, the coordinator ${protocolVersion}`,
      );
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
    const name = hello.workerName.slice(0, 100).replace(/[^\w.:-]/g, '_');
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
    const member = new Member(this.pool.freeSlot(), name, instance, hello.session, stream, Date.now());
    this.pool.add(member);
    const welcome = {
      run: run.metadata.name,
      runFile: JSON.stringify(run),
      slot: member.slot,
      heartbeatMs,
      classCount,
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
    const { pool } = this;
    if (message.chunk) member.receiver.accept(message.chunk);
    else if (message.ready) this.admit(member, message.ready.identity, message.ready.device, depart);
    else if (message.failure) {
      const { code, exitCode } = message.failure;
      depart(`it failed: ${message.failure.message}`, { code, exitCode });
    } else if (message.logLine) this.workerLogs.write(member, message.logLine);
    else if (message.leaving) pool.leave(member, message.leaving.reason);
    else if (message.nodeResult) {
      const result = message.nodeResult;
      const { node, mostNodeBytes } = pool.bounds;
      const bytes = node(result);
      if (bytes === 'unknown') {
        const { level, index } = result.node ?? { level: '?', index: '?' };
        pool.refuse(member, 'unknown_node', `node ${level}/${index} is not part of the step's tree`);
        return;
      }
      const announced = result.transfer?.byteLength;
      if (bytes !== null && announced !== bytes) {
        const expected = `node ${result.node!.level}/${result.node!.index} has ${bytes}`;
        pool.refuse(member, 'wrong_length', `${announced ?? 'no'} bytes are announced where ${expected}`);
        return;
      }
      member.receiver.begin(
        result.transfer,
        { least: 0, most: bytes ?? mostNodeBytes },
        'a node result',
        (received) => pool.emit('node', member, result, received),
      );
    } else if (message.encodeResult) {
      const result = message.encodeResult;
      const { encoded, mostEncodedBytes } = pool.bounds;
      const bytes = encoded(result);
      const allowed = bytes === null ? { least: 0, most: mostEncodedBytes } : { least: bytes, most: bytes };
      member.receiver.begin(result.transfer, allowed, 'an encode result', (received) =>
        pool.emit('encoded', member, result, received),
      );
    }
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
    admission.identity ??= offered;
    const differences = identityDifferences(admission.identity, offered);
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
    void member.outbox.send({ term: admission.term, admitted: {} });
    const { engine, engineVersion } = offered;
    this.log.info('worker joined', { worker: member.label, engine, engineVersion, device });
    this.pool.admit(member);
  }

  private refuse(stream: WorkerStream, code: string, message: string): void {
    if (this.closing) return;
    this.log.warn('refused a worker', { code, reason: message });
    stream.write({ term: this.admission.term, refusal: { code, message } });
    stream.end();
  }

  private dropSilent(): void {
    const now = Date.now();
    const silenceMs = 1000 * this.admission.run.spec.operation.membership.silenceSeconds;
    for (const member of this.pool.all()) {
      const silentMs = now - member.lastHeardAt;
      if (silentMs <= silenceMs) continue;
      this.pool.remove(member, {
        reason: `it said nothing for ${Math.round(silentMs / 1000)} s`,
        failure: null,
      });
      member.stream.end();
    }
  }
}

function short(digest: string): string {
  return `${digest.slice(0, 12)}…`;
}
