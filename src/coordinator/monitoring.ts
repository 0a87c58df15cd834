import type { Console } from '../console/console.js';
import type { TrainingRun } from '../run/training-run.js';
import type { NatsLink } from '../transport/events/nats-link.js';
import type { RunEventBody } from '../transport/events/run-event.js';
import type { EventReporter } from './event-reporter.js';
import { reportTraining, reportWorkers } from './event-sources.js';
import { describeWaiting, type Fleet } from './fleet.js';
import type { Identity } from './identity.js';
import { memberStates } from './member.js';
import { RunMetrics } from './metrics.js';
import { MonitorServer } from './monitor-server.js';
import { narrate } from './narration.js';
import type { RunStatus } from './run-control.js';
import type { RunState } from './run-state.js';
import type { TrainingObserver } from './training-loop.js';

export interface MonitoringOptions {
  readonly run: TrainingRun;
  readonly console: Console;
  readonly fleet: Fleet;
  readonly state: RunState;
  readonly stepsPerEpoch: number;
  readonly events: EventReporter;
  readonly link: NatsLink | null;
  readonly term: number;
}

/** Shows a run while it goes on: on the console, and over HTTP for Prometheus and Kubernetes. */
export class Monitoring {
  readonly observer: TrainingObserver;
  private lastCheckpoint: { name: string; writtenMs: number } | null = null;

  private constructor(
    private readonly options: MonitoringOptions,
    private readonly metrics: RunMetrics,
    private readonly server: MonitorServer | null,
  ) {
    const { events, state, fleet } = options;
    const publish = (body: RunEventBody) => events.publish(state, body);
    this.observer = reportTraining(observe(options, metrics), state, publish);
    reportWorkers(fleet.pool, publish);
    this.setPosition();
    fleet.pool.on('setAside', (_, fault) => metrics.workerSetAside(fault));
    fleet.pool.on('node', (_, { computeSeconds, imageWaitSeconds }) =>
      metrics.microbatchesComputed(computeSeconds, imageWaitSeconds),
    );
    options.fleet.pool.on('refused', (member, reason, sentence) => {
      options.console.log.warn('answer refused', { worker: member.label, reason: sentence });
      metrics.gradientRefused(reason);
    });
  }

  /** Throws what `MonitorServer.start` throws. */
  static async open(options: MonitoringOptions): Promise<Monitoring> {
    const { fleet, run, console, events, link, term } = options;
    const { pool } = fleet;
    const metrics = new RunMetrics({
      traffic: () => fleet.server.traffic,
      workers: () => Object.fromEntries(memberStates.map((state) => [state, pool.count(state)])),
      refusedConnections: () => fleet.server.refusals.totals(),
      droppedWorkerLogLines: () => fleet.server.workerLogs.dropped,
      waitingSince: () => pool.waiting?.since.getTime() ?? null,
      minWorkers: pool.minWorkers,
      spareWorkers: () => Math.max(0, pool.admitted().length - run.spec.schedule.microbatches),
      events: () => events.counts,
      natsConnected: () => link?.connected ?? null,
      term,
      nowMs: () => performance.now(),
    });
    const address = run.spec.operation.metrics;
    if (address === 'off') return new Monitoring(options, metrics, null);
    const notReady = () => pool.waiting && describeWaiting(pool.waiting);
    const server = await MonitorServer.start({ address, registry: metrics.registry, notReady });
    console.log.info('metrics', { url: `http://${server.address}/metrics` });
    return new Monitoring(options, metrics, server);
  }

  engineChosen(identity: Identity, device: string): void {
    const { engine, engineVersion, instructionSet } = identity;
    this.metrics.setEngine(engine, String(engineVersion), device, String(instructionSet));
  }

  checkpointWritten(name: string, bytes: number, seconds: number): void {
    this.metrics.checkpointWritten(seconds);
    this.lastCheckpoint = { name, writtenMs: performance.now() };
    const { events, state } = this.options;
    events.publish(state, { type: 'checkpoint.written', checkpoint: name, bytes, seconds });
    this.options.console.log.info('checkpoint written', { name, bytes, seconds });
  }

  /** What `fcaenet status` prints, apart from whether the run is held. */
  describe(): Omit<RunStatus, 'state'> {
    const { state, fleet } = this.options;
    const { lastCheckpoint } = this;
    return {
      position: state.position,
      workers: fleet.pool.all().map(({ slot, name, state }) => ({ slot, name, state })),
      mAP: state.history.findLast(({ evaluation }) => evaluation !== null)?.evaluation?.mAP ?? null,
      checkpoint: lastCheckpoint && {
        name: lastCheckpoint.name,
        ageSeconds: (performance.now() - lastCheckpoint.writtenMs) / 1000,
      },
    };
  }

  async close(): Promise<void> {
    await this.server?.close();
  }

  private setPosition(): void {
    const { iteration, epoch, globalStep } = this.options.state.position;
    this.metrics.setPosition(iteration, epoch, globalStep);
  }
}

/** The narration, with everything also counted. */
function observe(
  { run, console, state, stepsPerEpoch }: MonitoringOptions,
  metrics: RunMetrics,
): TrainingObserver {
  const narration = narrate(console, run.spec, state, stepsPerEpoch);
  return {
    ...narration,
    stepDone: (losses, seconds, images) => {
      narration.stepDone(losses, seconds, images);
      metrics.stepDone(losses, seconds, images);
      const { iteration, epoch, globalStep } = state.position;
      metrics.setPosition(iteration, epoch, globalStep);
    },
    codesUpdated: (iteration, flippedBits, seconds) => {
      narration.codesUpdated(iteration, flippedBits, seconds);
      metrics.codesUpdated(flippedBits, seconds);
    },
    evaluated: (iteration, evaluation) => {
      narration.evaluated(iteration, evaluation);
      metrics.evaluated(evaluation.mAP, evaluation.tieAveragedMAP);
    },
    overdue: (member, leaves) => {
      narration.overdue(member, leaves);
      metrics.microbatchesOverdue(leaves);
    },
    compared: (leaf, outcome) => {
      narration.compared(leaf, outcome);
      metrics.microbatchCompared(outcome);
    },
    redispatched: (leaves, departure) => {
      narration.redispatched(leaves, departure);
      metrics.microbatchesRedispatched(leaves);
    },
  };
}
