import * as grpc from '@grpc/grpc-js';
import { atMost, type Clock, systemClock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { Identity } from '../../identity/identity.js';
import { formatAddress, parseAddress } from '../../run/address.js';
import type { Finish } from '../../transport/generated/fcaenet/v1/Finish.js';
import { closeLostConnections } from '../../transport/lost-connections.js';
import { ReceiveWindows } from '../../transport/receive-windows.js';
import { channelOptions, coordinatorService, receiveWindow } from '../../transport/service.js';
import { coordinatorPaths, noTraffic } from '../dispatch/data-path.js';
import type { LocalWorkerMemory } from '../dispatch/local-worker-memory.js';
import type { WorkerStream } from '../dispatch/member.js';
import type { WorkerPool } from '../dispatch/pool.js';
import type { Admission } from './hello.js';
import { type Protection, requireProtection } from './protection.js';
import { Refusals } from './refusals.js';
import { type HandshakeLimits, handshakeLimits, WorkerListener } from './worker-listener.js';
import { WorkerLogs } from './worker-logs.js';
import { heartbeatMs, WorkerStreams } from './worker-streams.js';

/** A worker needs one stream. A second is refused with a reason, and HTTP/2 itself refuses more than these. */
const mostStreams = 4;
/** A connection without a stream is closed after this time. */
const idleMs = 60_000;
/** Time for workers to disconnect when the run ends. */
const disconnectMs = 1_000;

export interface CoordinatorServerOptions {
  readonly admission: Admission;
  readonly pool: WorkerPool;
  readonly log: Log;
  readonly onIdentity: (identity: Identity, device: string) => void;
  readonly protection: Protection;
  readonly limits?: HandshakeLimits;
  readonly clock?: Clock;
}

/** The gRPC side of the coordinator: the port and its messages. */
export class CoordinatorServer {
  readonly traffic = noTraffic(coordinatorPaths);
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
  private stopClosingLost = () => {};

  constructor(private readonly options: CoordinatorServerOptions) {
    const { admission, pool, log, onIdentity, protection } = options;
    const clock = options.clock ?? systemClock;
    this.clock = clock;
    this.refusals = new Refusals(log, () => clock.nowMs());
    this.workerLogs = new WorkerLogs(log, () => clock.nowMs());
    // The listener ends TLS, so that gRPC only gets connections of workers.
    const connections = this.server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    const windows = new ReceiveWindows(this.server);
    pool.on('ready', ({ stream }) => windows.widen(stream.getPeer(), receiveWindow));
    this.listener = new WorkerListener({
      tls: protection.tls,
      limits: options.limits ?? handshakeLimits,
      clock,
      accept: (socket) => connections.injectConnection(socket),
      onRefused: (reason, sentence, { address, name }) => {
        const wasLogged = this.refusals.add(reason, sentence, address);
        if (wasLogged && name !== null) pool.emit('workerRefused', name, reason.toUpperCase(), sentence);
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
    this.server.addService(coordinatorService(this.traffic.star), {
      Join: (stream: WorkerStream) => this.streams.accept(stream),
    });
  }

  /** Shares memory with the workers that this process starts. */
  shareMemory(memory: LocalWorkerMemory | null): void {
    this.streams.localMemory = memory;
  }

  /** From now on workers get this message instead of a welcome. */
  tellOf(finish: Finish): void {
    this.streams.over = finish;
  }

  /**
   * Starts to listen.
   * @returns the address that workers connect to
   * @throws CoordinatorError beyond loopback without certificates or join token, so that plain text never leaves the
   * machine
   * @throws TransportError when the port is in use
   */
  async listen(address: string): Promise<string> {
    requireProtection(address, this.options.protection);
    // The run file's schema has checked the form.
    const { host, port } = parseAddress(address)!;
    const bound = await this.listener.listen(host, port);
    this.stopClosingLost = closeLostConnections();
    this.stopBeating = this.clock.every(heartbeatMs, () => this.streams.beat());
    return formatAddress(host, bound);
  }

  /**
   * Tells every worker that the run is over or paused, then closes the port. Waits at most a second for workers that do
   * not respond.
   */
  async close(finish: Finish): Promise<void> {
    this.stopBeating();
    this.stopClosingLost();
    this.listener.close();
    await atMost(disconnectMs, this.streams.finish(finish));
    const closed = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    await atMost(disconnectMs, closed);
    // A connection that was cut silently is still open. Do not wait for it.
    this.server.forceShutdown();
  }
}
