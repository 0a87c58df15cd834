import * as grpc from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { Identity } from '../../identity/identity.js';
import { formatAddress, parseAddress } from '../../run/address.js';
import type { Finish } from '../../transport/generated/fcaenet/v1/Finish.js';
import { channelOptions, coordinatorService, type Traffic } from '../../transport/service.js';
import type { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';
import type { WorkerStream } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';
import type { Admission } from './hello.js';
import { type Protection, refusePlainText } from './protection.js';
import { Refusals } from './refusals.js';
import { type HandshakeLimits, handshakeLimits, WorkerListener } from './worker-listener.js';
import { WorkerLogs } from './worker-logs.js';
import { heartbeatMs, WorkerStreams } from './worker-streams.js';

/** A worker needs one; a second is refused with the reason, and more by HTTP/2 itself. */
const mostStreams = 4;
/** A connection without a stream is no worker's. */
const idleMs = 60_000;
/** How long workers have to take leave when the run ends. */
const goodbyeMs = 1_000;

export interface CoordinatorServerOptions {
  readonly admission: Admission;
  readonly pool: WorkerPool;
  readonly log: Log;
  readonly onIdentity: (identity: Identity, device: string) => void;
  readonly protection: Protection;
  readonly limits?: HandshakeLimits;
  readonly clock?: Clock;
}

/** The gRPC side of the coordinator: a port that workers dial, and what is said on it. */
export class CoordinatorServer {
  readonly traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  readonly refusals: Refusals;
  readonly workerLogs: WorkerLogs;
  private readonly server = new grpc.Server({
    ...channelOptions,
    'grpc.max_concurrent_streams': mostStreams,
    'grpc.max_connection_idle_ms': idleMs,
  });
  private readonly clock: Clock;
  private readonly listener: WorkerListener;
  private readonly streams: WorkerStreams;
  private stopBeating = () => {};

  constructor(private readonly options: CoordinatorServerOptions) {
    const { admission, pool, log, onIdentity, protection } = options;
    const clock = options.clock ?? systemClock;
    this.clock = clock;
    this.refusals = new Refusals(log, () => clock.nowMs());
    this.workerLogs = new WorkerLogs(log, () => clock.nowMs());
    // TLS ends at the listener, so that gRPC sees the connections of workers alone.
    const connections = this.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.listener = new WorkerListener({
      tls: protection.tls,
      limits: options.limits ?? handshakeLimits,
      clock,
      accept: (socket) => connections.injectConnection(socket),
      onRefused: (reason, sentence, { address, name }) => {
        const wasLogged = this.refusals.add(reason, sentence, address);
        if (wasLogged && name !== null) pool.emit('turnedAway', name, reason.toUpperCase(), sentence);
      },
    });
    this.streams = new WorkerStreams({
      admission,
      joinToken: protection.joinToken,
      pool,
      clock,
      log,
      workerLogs: this.workerLogs,
      refusals: this.refusals,
      connections: this.listener,
      onIdentity,
    });
    this.server.addService(coordinatorService(this.traffic), {
      Join: (stream: WorkerStream) => this.streams.accept(stream),
    });
  }

  /** Shares memory with the workers that this process starts. */
  shareMemory(memory: LocalWorkerMemory | null): void {
    this.streams.localMemory = memory;
  }

  /** From now on workers are told this instead of a welcome. */
  tellOf(finish: Finish): void {
    this.streams.over = finish;
  }

  /**
   * Starts to listen.
   * @returns the address workers dial
   * @throws CoordinatorError beyond loopback without certificates or join token: plain text never leaves the machine
   * @throws TransportError when the port is taken
   */
  async listen(address: string): Promise<string> {
    refusePlainText(address, this.options.protection);
    // The run file's schema has checked the form.
    const { host, port } = parseAddress(address)!;
    const bound = await this.listener.listen(host, port);
    this.stopBeating = this.clock.every(heartbeatMs, () => this.streams.beat());
    return formatAddress(host, bound);
  }

  /**
   * Tells every worker that the run is over, or that it may be gone on with later, then closes the port. Waits no
   * longer than a second for workers that no longer listen.
   */
  async close(finish: Finish): Promise<void> {
    this.stopBeating();
    this.listener.close();
    await Promise.race([this.streams.finish(finish), this.clock.sleep(goodbyeMs)]);
    const closed = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    await Promise.race([closed, this.clock.sleep(goodbyeMs)]);
    // A connection that was cut without a word does not close even now; nobody waits for it.
    this.server.forceShutdown();
  }
}
