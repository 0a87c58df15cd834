import { Refusals } from '../../src/coordinator/admission/refusals.js';
import type { Connection } from '../../src/coordinator/admission/worker-listener.js';
import { WorkerLogs } from '../../src/coordinator/admission/worker-logs.js';
import { heartbeatMs, WorkerStreams } from '../../src/coordinator/admission/worker-streams.js';
import { Coordination, type FleetOfRun, type FleetPart } from '../../src/coordinator/coordination.js';
import type { Member } from '../../src/coordinator/dispatch/member.js';
import { WorkerPool } from '../../src/coordinator/dispatch/pool.js';
import { CoordinatorError } from '../../src/coordinator/error.js';
import { exchangedBlocks } from '../../src/coordinator/exchange/exchanged-vector.js';
import { RangeConnections } from '../../src/coordinator/exchange/range-connections.js';
import { Interruption } from '../../src/coordinator/interruption.js';
import { DirectLane } from '../../src/coordinator/lane/direct-lane.js';
import { lead } from '../../src/coordinator/leadership/lead.js';
import type { CoordinatorEvent } from '../../src/coordinator/monitoring/coordinator-event.js';
import type { RunResult } from '../../src/coordinator/training/result.js';
import type { Dataset } from '../../src/data/dataset.js';
import { Disk } from '../../src/disk/disk.js';
import { DiskWatch } from '../../src/disk/watch.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import type { TrainingRun } from '../../src/run/training-run.js';
import type { Traffic } from '../../src/transport/service.js';
import type { Chance } from './chance.js';
import { SimulatedCarrier } from './simulated-carrier.js';
import type { SimulatedProcess } from './simulated-clock.js';
import { type DiskTrouble, simulatedFileSystem } from './simulated-disk.js';
import type { SimulatedLine } from './simulated-line.js';
import { layout } from './simulated-network.js';
import type { SimulatedPeerNetwork } from './simulated-peer-network.js';

export interface CoordinatorSurroundings {
  readonly process: SimulatedProcess;
  readonly run: TrainingRun;
  readonly dataset: Dataset;
  readonly chance: Chance;
  /** What no worker can know. */
  readonly secret: Chance;
  readonly trouble: DiskTrouble;
  /** Null where it calls no workers. */
  readonly peers: SimulatedPeerNetwork | null;
  readonly trace: (line: string) => void;
  /** Told of a deadline that a worker missed. */
  readonly onOverdue: (member: Member) => void;
  /** Told of a step whose exchange fails. */
  readonly onExchangeGivenUp: (reason: string) => void;
  /** Told of an answer that is not taken, and why. */
  readonly onRejected: (member: Member, sentence: string) => void;
  /** The port opens, or closes. */
  readonly onListening: (port: SimulatedPort | null) => void;
}

/** Where workers dial. */
export interface SimulatedPort {
  readonly process: SimulatedProcess;
  readonly traffic: Traffic;
  accept(line: SimulatedLine): void;
}

/** A real coordinator, from its run directory to its result, on a simulated machine. */
export class SimulatedCoordinator {
  readonly interruption = new Interruption();
  pool: WorkerPool | null = null;

  constructor(private readonly surroundings: CoordinatorSurroundings) {}

  /** Carries out the run; rejects as a coordinator does. */
  async lead(): Promise<RunResult> {
    const { run, dataset, process, chance, trouble, trace } = this.surroundings;
    const directory = RunDirectory.open(run, 'auto');
    process.whenEnded(() => directory.release());
    const log = {
      info: (message: string, fields: object = {}) => trace(`${message} ${JSON.stringify(fields)}`),
      warn: (message: string, fields: object = {}) => trace(`warn: ${message} ${JSON.stringify(fields)}`),
      error: (message: string, fields: object = {}) => trace(`error: ${message} ${JSON.stringify(fields)}`),
    };
    const console = {
      log,
      isTerminal: false,
      lostLines: 0,
      startTask: () => ({ update: () => {}, hold: () => {}, finish: () => {} }),
      close: () => {},
    };
    const disk = new Disk(null, simulatedFileSystem(process, chance, trouble, trace), new DiskWatch());
    const onDeposed = this.interruption.interrupt.bind(this.interruption);
    const { result } = await lead({ run, directory, log, clock: process, onDeposed }, (leading) =>
      new Coordination({
        run,
        resume: 'auto',
        dataset,
        directory,
        layout,
        lane: new DirectLane(),
        interruption: this.interruption,
        leading,
        console,
        clock: process,
        random: () => this.surroundings.secret.unit(),
        diskOf: () => disk,
        interrupted,
        openFleet: (part) => this.openFleet(part, log),
        openMonitoring: async () => ({
          notify: (event) => this.tell(event),
          describe: () => {
            throw new Error('nobody asks for the status');
          },
          view: () => {
            throw new Error('nobody looks at the run');
          },
          attach: () => {},
          close: async () => {},
        }),
        openControl: async () => ({ close: async () => {} }),
      }).run(),
    );
    directory.release();
    return result;
  }

  /** As SIGTERM does. */
  interrupt(): void {
    this.interruption.interrupt(interrupted(null));
  }

  private tell(event: CoordinatorEvent): void {
    const { trace, onOverdue, onExchangeGivenUp } = this.surroundings;
    switch (event.type) {
      case 'step.done':
        trace(`step ${event.losses.join(' ')}`);
        break;
      case 'codes.updated':
        trace(`codes updated ${event.iteration} ${event.flippedBits}`);
        break;
      case 'evaluated':
        trace(`evaluated ${event.iteration} ${event.evaluation.mAP}`);
        break;
      case 'checkpoint.written':
        trace(`checkpoint ${event.name}`);
        break;
      case 'checkpoint.failed':
        trace('checkpoint failed');
        break;
      case 'work.redispatched':
        trace(`${event.units} ${event.work} handed out again: ${event.departure.reason}`);
        break;
      case 'work.overdue': {
        const { member } = event;
        trace(`${event.units} ${event.work} of ${member.label} are late`);
        onOverdue(member);
        break;
      }
      case 'work.compared':
        trace(`compared ${event.work} ${event.unit}: ${event.outcome}`);
        break;
      case 'exchange.used':
        if (event.members > 0) trace(`${event.members} workers exchange`);
        break;
      case 'exchange.blocked':
        trace(`${event.blocked} of ${event.pairs} pairs cannot connect`);
        break;
      case 'exchange.given-up':
        trace(`the exchange is given up: ${event.reason}`);
        onExchangeGivenUp(event.reason);
        break;
      case 'work.waiting':
        trace('waiting');
        break;
    }
  }

  private openConnections(pool: WorkerPool, traffic: Traffic): RangeConnections | null {
    const { process, chance, run, peers } = this.surroundings;
    if (!peers) return null;
    const { precision } = run.spec.wire;
    return new RangeConnections({
      carrier: {
        identity: { run: run.metadata.name, term: 1, member: 0, key: Buffer.alloc(0), tls: null },
        precision,
        vectorLength: exchangedBlocks(layout, 1, precision).at(-1)!,
      },
      pool,
      clock: process,
      traffic,
      openCarrier: (_, listener) => new SimulatedCarrier(listener, process, chance, peers),
    });
  }

  private openFleet(part: FleetPart, log: ConstructorParameters<typeof WorkerLogs>[0]): FleetOfRun {
    const { process, run, onListening, onRejected } = this.surroundings;
    const pool = new WorkerPool(run.spec.operation.membership.minWorkers, process);
    pool.on('answerRejected', (member, _, sentence) => onRejected(member, sentence));
    pool.on('unreachable', ({ label }, reason) =>
      this.surroundings.trace(`${label} is unreachable: ${reason}`),
    );
    pool.on('reached', ({ label }) => this.surroundings.trace(`${label} is reached again`));
    this.pool = pool;
    const traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
    const connections = new SimulatedConnections();
    const streams = new WorkerStreams({
      admission: part.admission,
      joinToken: null,
      pool,
      clock: process,
      log,
      workerLogs: new WorkerLogs(log, () => process.nowMs()),
      refusals: new Refusals(log, () => process.nowMs()),
      connections,
      onIdentity: part.onIdentity,
    });
    let stopBeating = () => {};
    return {
      pool,
      traffic,
      size: 1,
      connections: this.openConnections(pool, traffic),
      open: async () => {
        stopBeating = process.every(heartbeatMs, () => streams.beat());
        onListening({
          process,
          traffic,
          accept: (line) => {
            connections.open(line);
            streams.accept(line.coordinatorEnd.asStream);
          },
        });
      },
      close: async (finish) => {
        stopBeating();
        onListening(null);
        await Promise.race([streams.finish(finish), process.sleep(1_000)]);
      },
    };
  }
}

/** The connections of a port, without sockets. */
class SimulatedConnections {
  private readonly connections = new Map<string, { connection: Connection; line: SimulatedLine }>();

  open(line: SimulatedLine): void {
    const connection: Connection = {
      address: line.peer,
      localAddress: '',
      socket: null as never,
      name: null,
      state: 'handshaking',
      streaming: false,
      cancelDeadline: () => {},
      certificateExpiryMs: null,
      certificateSha256: Buffer.alloc(0),
      progress: 'bytes',
    };
    this.connections.set(line.peer, { connection, line });
  }

  connection(peer: string): Connection | undefined {
    return this.connections.get(peer)?.connection;
  }

  helloAccepted(connection: Connection): void {
    connection.state = 'preparing';
  }

  joined(connection: Connection): void {
    connection.state = 'joined';
  }

  refuse(connection: Connection): void {
    this.closeConnection(connection);
  }

  closeConnection(connection: Connection): void {
    connection.state = 'closing';
    this.connections.get(connection.address)?.line.coordinatorEnd.end();
  }
}

function interrupted(checkpoint: string | null): CoordinatorError {
  return new CoordinatorError('COORDINATOR_INTERRUPTED', `interrupted at ${checkpoint}`);
}
