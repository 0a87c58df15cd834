import { join } from 'node:path';
import { systemClock } from '../../clock.js';
import type { Console } from '../../console/console.js';
import type { Dataset } from '../../data/dataset.js';
import { diskWatch } from '../../disk/watch.js';
import { RunPage, type RunSource } from '../../live/serve/run-page.js';
import { summaryOf } from '../../live/summary.js';
import type { RunView } from '../../live/view.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { TrainingRun } from '../../run/training-run.js';
import { announceExpiry } from '../../transport/certificate-expiry.js';
import type { NatsLink } from '../../transport/events/nats-link.js';
import type { TlsMaterial } from '../../transport/tls-files.js';
import { describeWaiting, type Fleet } from '../admission/fleet.js';
import { memberStates } from '../dispatch/member.js';
import type { EventReporter } from '../leadership/event-reporter.js';
import type { RunControl, RunStatus } from '../leadership/run-control.js';
import type { RunState } from '../training/run-state.js';
import { forwardWorkerEvents, type Subscriber } from './coordinator-event.js';
import { EventFiles } from './event-files.js';
import { LiveRun } from './live-run.js';
import type { CertificateSources } from './metrics/certificate-metrics.js';
import { diskSpaceOf } from './metrics/disk-space.js';
import { RunMetrics } from './metrics/run-metrics.js';
import { MonitorServer } from './monitor-server.js';
import { PageControl } from './page-control.js';
import { progressLog } from './progress-log.js';
import { publishedEvents } from './published-events.js';
import { isDoneAt, tensorboardScalars } from './tensorboard.js';
import { TensorboardGallery } from './tensorboard-gallery.js';

export interface MonitoringOptions {
  readonly run: TrainingRun;
  readonly console: Console;
  readonly directory: RunDirectory;
  readonly dataset: Dataset;
  readonly fleet: Fleet;
  readonly state: RunState;
  /** The checkpoint from which the run was resumed; null when it began anew. */
  readonly restoredFrom: { readonly name: string; readonly created: Date } | null;
  readonly stepsPerEpoch: number;
  readonly events: EventReporter;
  readonly link: NatsLink | null;
  /** The coordinator's certificate for workers; null in plain text. */
  readonly tls: TlsMaterial | null;
  readonly term: number;
}

/** Shows the progress of a run on the console, and over HTTP for Prometheus and Kubernetes. */
export class Monitoring {
  private readonly endAnnouncements: () => void;
  private readonly subscribers: readonly Subscriber[];
  private readonly gallery: TensorboardGallery | null;
  /** `writtenMs` is a time of `performance.now`. It is below 0 when an earlier process wrote the checkpoint. */
  private lastCheckpoint: { name: string; writtenMs: number } | null;

  private constructor(
    private readonly options: MonitoringOptions,
    metrics: RunMetrics,
    private readonly live: LiveRun,
    private readonly pageControl: PageControl,
    private readonly server: MonitorServer | null,
    private readonly eventFiles: EventFiles | null,
  ) {
    const { events, state, fleet, console, run, stepsPerEpoch, restoredFrom } = options;
    this.lastCheckpoint = restoredFrom && {
      name: restoredFrom.name,
      writtenMs: performance.now() - (Date.now() - restoredFrom.created.getTime()),
    };
    const { remaining } = metrics.training;
    this.gallery =
      eventFiles &&
      new TensorboardGallery(
        { dataset: options.dataset, state, bits: run.spec.bits, log: console.log, nowMs: Date.now },
        (event) => eventFiles.write(event),
      );
    this.subscribers = [
      // The metrics come first: they estimate the time left, which the progress log shows.
      (event) => metrics.take(event),
      (event) => live.take(event),
      progressLog({ console, spec: run.spec, state, stepsPerEpoch, remaining }),
      publishedEvents(run.spec.method, state, (body) => events.publish(state.position, body)),
      ...(eventFiles
        ? [tensorboardScalars({ spec: run.spec, state }, (event) => eventFiles.write(event), Date.now)]
        : []),
      ...(this.gallery ? [this.gallery.take] : []),
      (event) => {
        if (event.type !== 'checkpoint.written') return;
        this.lastCheckpoint = { name: event.name, writtenMs: performance.now() };
      },
    ];
    forwardWorkerEvents(fleet.pool, this.notify);
    this.endAnnouncements = announceExpiry(Object.values(certificatesOf(options)), console.log);
  }

  /** Calls every subscriber, in order. */
  readonly notify: Subscriber = (event) => {
    for (const subscriber of this.subscribers) subscriber(event);
  };

  /** @throws what `MonitorServer.start` throws */
  static async open(options: MonitoringOptions): Promise<Monitoring> {
    const { fleet, run, console, directory, state, events, link, term } = options;
    const { pool } = fleet;
    const metrics = new RunMetrics({
      run: run.metadata.name,
      spec: run.spec,
      stepsPerEpoch: options.stepsPerEpoch,
      position: () => state.position,
      history: () => state.history,
      traffic: () => ({ ...fleet.server.traffic, peers: pool.peerTraffic }),
      paths: () => pool.admitted().map(({ path }) => path),
      workers: () => Object.fromEntries(memberStates.map((each) => [each, pool.count(each)])),
      members: () => pool.all(),
      answers: () => pool.answers,
      refusedConnections: () => fleet.server.refusals.totals(),
      droppedWorkerLogLines: () => fleet.server.workerLogs.dropped,
      waitingSince: () => pool.waiting?.since.getTime() ?? null,
      minWorkers: pool.minWorkers,
      spareWorkers: () => pool.beyond(run.spec.schedule.microbatches).length,
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
    const { metrics: address, monitor, tensorboard } = run.spec.operation;
    const pageControl = new PageControl(monitor.control, directory, console.log);
    const live = new LiveRun({
      run,
      term,
      stepsPerEpoch: options.stepsPerEpoch,
      state,
      restoredFrom: options.restoredFrom,
      remaining: metrics.training.remaining,
      clock: systemClock,
      members: () => pool.all(),
      waiting: () => pool.waiting,
      events: () => events.recent,
      controlState: () => pageControl.state,
      control: monitor.control,
    });
    const eventFiles =
      tensorboard === null
        ? null
        : await EventFiles.open(
            join(tensorboard, run.metadata.name),
            term,
            state.position.globalStep,
            isDoneAt(state.position),
            console.log,
          );
    if (address === 'off') return new Monitoring(options, metrics, live, pageControl, null, eventFiles);
    const notReady = () => pool.waiting && describeWaiting(pool.waiting);
    const page = new RunPage(sourceOf(live, pageControl), monitor.hosts);
    const server = await MonitorServer.start({ address, registry: metrics.registry, notReady, page });
    console.log.info('page of the run', { url: `http://${server.address}/` });
    console.log.info('metrics', { url: `http://${server.address}/metrics` });
    return new Monitoring(options, metrics, live, pageControl, server, eventFiles);
  }

  /** What the page of the run shows. */
  view(): RunView {
    return this.live.view();
  }

  /** Connects the run's control, which is made after monitoring, to the page. */
  attach(control: RunControl): void {
    this.pageControl.attach(control);
  }

  /** What `fcaenet status` prints, except whether the run is paused. */
  describe(): Omit<RunStatus, 'state'> {
    const { run, state, fleet, stepsPerEpoch } = this.options;
    const { iterations, epochs } = run.spec.schedule;
    const { lastCheckpoint } = this;
    return {
      position: state.position,
      schedule: { iterations, epochs, stepsPerEpoch },
      workers: fleet.pool.all().map(({ slot, name, state, capacity }) => ({
        slot,
        name,
        state,
        devices: capacity,
      })),
      mAP: state.history.findLast(({ evaluation }) => evaluation !== null)?.evaluation?.mAP ?? null,
      checkpoint: lastCheckpoint && {
        name: lastCheckpoint.name,
        ageSeconds: Math.round(performance.now() - lastCheckpoint.writtenMs) / 1000,
      },
    };
  }

  async close(): Promise<void> {
    this.endAnnouncements();
    await this.gallery?.close();
    await this.eventFiles?.close();
    await this.server?.close();
    this.pageControl.close();
  }
}

/** The one run of a coordinator, as the page reads it. */
function sourceOf(live: LiveRun, control: PageControl): RunSource {
  const { run } = live.view();
  return {
    list: async () => ({ runs: [summaryOf(live.view())], server: 'coordinator' }),
    view: async (name) => (name === run ? live.view() : null),
    door: (name) => (name === run ? control.door : null),
  };
}

/** For each use, the certificate that expires first. */
function certificatesOf({ tls, link }: MonitoringOptions): CertificateSources['certificates'] {
  return {
    ...(tls && { coordinator: tls.expiry }),
    ...(link?.certificateExpiry && { nats: link.certificateExpiry }),
  };
}
