import type { Console } from '../../console/console.js';
import { diskWatch } from '../../disk/watch.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { TrainingRun } from '../../run/training-run.js';
import { announceExpiry } from '../../transport/certificate-expiry.js';
import type { NatsLink } from '../../transport/events/nats-link.js';
import type { RunEventBody } from '../../transport/events/run-event.js';
import type { TlsMaterial } from '../../transport/tls-files.js';
import { describeWaiting, type Fleet } from '../admission/fleet.js';
import type { CheckpointObserver } from '../checkpoints/run-checkpoints.js';
import { memberStates } from '../dispatch/member.js';
import type { EventReporter } from '../leadership/event-reporter.js';
import type { RunStatus } from '../leadership/run-control.js';
import type { RunState } from '../training/run-state.js';
import type { TrainingObserver } from '../training/training-loop.js';
import { reportTraining, reportWorkers } from './event-sources.js';
import type { CertificateSources } from './metrics/certificate-metrics.js';
import { diskSpaceOf } from './metrics/disk-space.js';
import { RunMetrics } from './metrics/run-metrics.js';
import { MonitorServer } from './monitor-server.js';
import { type Narration, narrate } from './progress-log.js';

export interface MonitoringOptions {
  readonly run: TrainingRun;
  readonly console: Console;
  readonly directory: RunDirectory;
  readonly fleet: Fleet;
  readonly state: RunState;
  /** The checkpoint from which the run goes on; null where it begins. */
  readonly restoredFrom: { readonly name: string; readonly created: Date } | null;
  readonly stepsPerEpoch: number;
  readonly events: EventReporter;
  readonly link: NatsLink | null;
  /** What workers see of this coordinator; null in plain text. */
  readonly tls: TlsMaterial | null;
  readonly term: number;
}

/** Shows a run while it goes on: on the console, and over HTTP for Prometheus and Kubernetes. */
export class Monitoring {
  readonly observer: TrainingObserver;
  private readonly endAnnouncements: () => void;
  private readonly narration: Narration;
  /** `writtenMs` in the time of `performance.now`, below 0 for one of an earlier process. */
  private lastCheckpoint: { name: string; writtenMs: number } | null;

  private constructor(
    private readonly options: MonitoringOptions,
    private readonly metrics: RunMetrics,
    private readonly server: MonitorServer | null,
  ) {
    const { events, state, fleet, console, run, stepsPerEpoch, restoredFrom } = options;
    this.narration = narrate(console, run.spec, state, stepsPerEpoch, metrics.training.remaining);
    this.lastCheckpoint = restoredFrom && {
      name: restoredFrom.name,
      writtenMs: performance.now() - (Date.now() - restoredFrom.created.getTime()),
    };
    const publish = (body: RunEventBody) => events.publish(state.position, body);
    this.observer = reportTraining(observe(this.narration, metrics), state, publish);
    reportWorkers(fleet.pool, publish);
    this.endAnnouncements = announceExpiry(Object.values(certificatesOf(options)), options.console.log);
    fleet.pool.on('setAside', (_, fault) => metrics.fleet.workerSetAside(fault));
    fleet.pool.on('refused', (member, reason, sentence) => {
      console.log.warn('answer refused', { worker: member.label, reason: sentence });
      metrics.fleet.gradientRefused(reason);
    });
  }

  /** Throws what `MonitorServer.start` throws. */
  static async open(options: MonitoringOptions): Promise<Monitoring> {
    const { fleet, run, console, directory, state, events, link, term } = options;
    const { pool } = fleet;
    const metrics = new RunMetrics({
      run: run.metadata.name,
      spec: run.spec,
      stepsPerEpoch: options.stepsPerEpoch,
      position: () => state.position,
      history: () => state.history,
      traffic: () => fleet.server.traffic,
      workers: () => Object.fromEntries(memberStates.map((each) => [each, pool.count(each)])),
      members: () => pool.all(),
      answers: () => pool.answers,
      refusedConnections: () => fleet.server.refusals.totals(),
      droppedWorkerLogLines: () => fleet.server.workerLogs.dropped,
      waitingSince: () => pool.waiting?.since.getTime() ?? null,
      minWorkers: pool.minWorkers,
      spareWorkers: () => Math.max(0, pool.admitted().length - run.spec.schedule.microbatches),
      diskSpace: diskSpaceOf(directory.path),
      diskWatch,
      restoredAtMs: options.restoredFrom?.created.getTime() ?? null,
      events: () => events.counts,
      natsConnected: () => link?.connected ?? null,
      certificates: certificatesOf(options),
      lostLogLines: () => console.lostLines,
      term,
      nowMs: () => Date.now(),
    });
    const address = run.spec.operation.metrics;
    if (address === 'off') return new Monitoring(options, metrics, null);
    const notReady = () => pool.waiting && describeWaiting(pool.waiting);
    const server = await MonitorServer.start({ address, registry: metrics.registry, notReady });
    console.log.info('metrics', { url: `http://${server.address}/metrics` });
    return new Monitoring(options, metrics, server);
  }

  /** Told of each checkpoint, when it is durable or could not be written. */
  readonly checkpoints: CheckpointObserver = {
    written: (name, bytes, seconds) => {
      this.metrics.checkpoints.written(bytes, seconds);
      this.lastCheckpoint = { name, writtenMs: performance.now() };
      const { events, state, console } = this.options;
      events.publish(state.position, { type: 'checkpoint.written', checkpoint: name, bytes, seconds });
      console.log.info('checkpoint written', { name, bytes, seconds });
    },
    abandoned: () => this.metrics.checkpoints.abandoned(),
    failed: () => this.metrics.checkpoints.failed(),
  };

  /** Told when the run holds because it was asked to, and when it goes on. */
  paused(isPaused: boolean): void {
    this.metrics.training.paused(isPaused);
    this.narration.paused(isPaused);
    const { events, state } = this.options;
    events.publish(state.position, { type: isPaused ? 'run.paused' : 'run.continued' });
  }

  /** What `fcaenet status` prints, apart from whether the run is held. */
  describe(): Omit<RunStatus, 'state'> {
    const { run, state, fleet, stepsPerEpoch } = this.options;
    const { iterations, epochs } = run.spec.schedule;
    const { lastCheckpoint } = this;
    return {
      position: state.position,
      schedule: { iterations, epochs, stepsPerEpoch },
      workers: fleet.pool.all().map(({ slot, name, state }) => ({ slot, name, state })),
      mAP: state.history.findLast(({ evaluation }) => evaluation !== null)?.evaluation?.mAP ?? null,
      checkpoint: lastCheckpoint && {
        name: lastCheckpoint.name,
        ageSeconds: (performance.now() - lastCheckpoint.writtenMs) / 1000,
      },
    };
  }

  async close(): Promise<void> {
    this.endAnnouncements();
    await this.server?.close();
  }
}

/** The first to end of each use's certificates. */
function certificatesOf({ tls, link }: MonitoringOptions): CertificateSources['certificates'] {
  return {
    ...(tls && { coordinator: tls.expiry }),
    ...(link?.certificateExpiry && { nats: link.certificateExpiry }),
  };
}

/** The narration, with everything also counted. */
function observe(narration: TrainingObserver, metrics: RunMetrics): TrainingObserver {
  return {
    ...narration,
    stepDone: (losses, seconds, images) => {
      metrics.training.stepDone(losses, seconds, images);
      narration.stepDone(losses, seconds, images);
    },
    encoding: (what, done, total) => {
      narration.encoding(what, done, total);
      metrics.training.progressed();
    },
    codesUpdated: (iteration, flippedBits, seconds, encodingSeconds) => {
      narration.codesUpdated(iteration, flippedBits, seconds, encodingSeconds);
      metrics.training.codesUpdated(flippedBits, seconds, encodingSeconds);
    },
    evaluated: (iteration, evaluation, seconds) => {
      narration.evaluated(iteration, evaluation, seconds);
      metrics.training.evaluated(seconds);
    },
    overdue: (member, leaves) => {
      narration.overdue(member, leaves);
      metrics.fleet.microbatchesOverdue(leaves);
    },
    compared: (leaf, outcome) => {
      narration.compared(leaf, outcome);
      metrics.fleet.microbatchCompared(outcome);
    },
    redispatched: (leaves, departure) => {
      narration.redispatched(leaves, departure);
      metrics.fleet.microbatchesRedispatched(leaves);
    },
  };
}
