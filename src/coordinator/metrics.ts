import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { lossTerms } from '../reduction/payload.js';

/** What metrics read when they are scraped, instead of being told each time. */
export interface MetricsSources {
  /** Bytes of messages over gRPC so far. */
  traffic(): { readonly sentBytes: number; readonly receivedBytes: number };
  /** Workers by state. */
  workers(): Readonly<Record<string, number>>;
  /** Connections that were not let in, by reason. */
  refusedConnections(): Readonly<Record<string, number>>;
  /** Lines of the workers' logs that were not written so far. */
  droppedWorkerLogLines(): number;
  /** Unix time in milliseconds since when too few workers are there; null while there are enough. */
  waitingSince(): number | null;
  readonly minWorkers: number;
  /** Workers beyond the microbatches of a step. */
  spareWorkers(): number;
  /** Run events so far. */
  events(): { readonly published: number; readonly lost: number };
  /** Null where no NATS server is configured. */
  natsConnected(): boolean | null;
  readonly term: number;
  nowMs(): number;
}

/** The run's numbers for Prometheus, in a registry of their own. docs/metrics.md lists them. */
export class RunMetrics {
  readonly registry = new Registry();
  private checkpointAtMs: number | undefined;

  private readonly engine = this.gauge('fcaenet_engine_info', 'What computes; always 1.', [
    'engine',
    'version',
    'device',
    'instruction_set',
  ]);
  private readonly iteration = this.gauge('fcaenet_iteration', 'Iterations finished.');
  private readonly epoch = this.gauge('fcaenet_epoch', 'Epochs finished in this iteration.');
  private readonly step = this.gauge('fcaenet_step', 'Optimiser steps since the beginning of the run.');
  private readonly loss = this.gauge('fcaenet_loss', 'The last batch’s loss, by term.', ['term']);
  private readonly images = this.counter('fcaenet_images_total', 'Images trained on by this process.');
  private readonly imagesPerSecond = this.gauge(
    'fcaenet_images_per_second',
    'Images of the last step over its time.',
  );
  private readonly stepSeconds = new Histogram({
    name: 'fcaenet_step_seconds',
    help: 'Time of an optimiser step.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.registry],
  });
  private readonly flippedBits = this.gauge(
    'fcaenet_flipped_bits',
    'Bits of the database codes that the last V-step changed.',
  );
  private readonly vStepSeconds = this.gauge('fcaenet_v_step_seconds', 'Time of the last V-step.');
  private readonly meanAveragePrecision = this.gauge(
    'fcaenet_mean_average_precision',
    'Mean average precision of the last evaluation, ties by database index or averaged.',
    ['ties'],
  );
  private readonly checkpointSeconds = this.gauge(
    'fcaenet_checkpoint_seconds',
    'Time that the last checkpoint took to become durable.',
  );
  private readonly refused = this.counter('fcaenet_gradient_refused_total', 'Gradients refused, by reason.', [
    'reason',
  ]);
  private readonly redispatched = this.counter(
    'fcaenet_redispatched_microbatches_total',
    'Microbatches handed out again because their worker left.',
  );

  private readonly computing = this.counter(
    'fcaenet_worker_compute_seconds_total',
    'Time that workers computed microbatches, summed over all of them.',
  );
  private readonly imageWait = this.counter(
    'fcaenet_worker_image_wait_seconds_total',
    'Time that workers waited for the images of a microbatch, summed over all of them.',
  );

  private readonly term = this.gauge('fcaenet_term', 'The coordinator’s leadership term.');

  private readonly overdue = this.counter(
    'fcaenet_overdue_microbatches_total',
    'Microbatches not answered in time, which others computed too.',
  );
  private readonly compared = this.counter(
    'fcaenet_compared_microbatches_total',
    'Microbatches computed by more than one worker, by what the comparison gave.',
    ['outcome'],
  );
  private readonly setAside = this.counter(
    'fcaenet_workers_set_aside_total',
    'Workers set aside for the rest of the run, by fault.',
    ['fault'],
  );

  constructor(private readonly sources: MetricsSources) {
    const { registry } = this;
    const read = <Metric extends Gauge | Counter>(update: (metric: Metric) => void) =>
      function collect(this: Metric) {
        this.reset();
        update(this);
      };
    new Gauge({
      name: 'fcaenet_workers',
      help: 'Workers, by state.',
      labelNames: ['state'],
      registers: [registry],
      collect: read<Gauge>((gauge) => {
        for (const [state, count] of Object.entries(sources.workers())) gauge.set({ state }, count);
      }),
    });
    this.gauge('fcaenet_min_workers', 'Workers without whom no work is handed out.').set(sources.minWorkers);
    new Gauge({
      name: 'fcaenet_spare_workers',
      help: 'Workers beyond the microbatches of a step.',
      registers: [registry],
      collect: read<Gauge>((gauge) => gauge.set(sources.spareWorkers())),
    });
    new Gauge({
      name: 'fcaenet_waiting_since_seconds',
      help: 'Unix time since when too few workers are there; 0 while there are enough.',
      registers: [registry],
      collect: read<Gauge>((gauge) => gauge.set((sources.waitingSince() ?? 0) / 1000)),
    });
    new Counter({
      name: 'fcaenet_bytes_sent_total',
      help: 'Bytes of messages sent to workers.',
      registers: [registry],
      collect: read<Counter>((counter) => counter.inc(sources.traffic().sentBytes)),
    });
    new Counter({
      name: 'fcaenet_bytes_received_total',
      help: 'Bytes of messages received from workers.',
      registers: [registry],
      collect: read<Counter>((counter) => counter.inc(sources.traffic().receivedBytes)),
    });
    new Counter({
      name: 'fcaenet_refused_connections_total',
      help: 'Connections that were not let in, by reason.',
      labelNames: ['reason'],
      registers: [registry],
      collect: read<Counter>((counter) => {
        for (const [reason, count] of Object.entries(sources.refusedConnections())) {
          counter.inc({ reason }, count);
        }
      }),
    });
    new Counter({
      name: 'fcaenet_worker_log_lines_dropped_total',
      help: 'Lines of worker logs left out of the coordinator’s log to bound their rate.',
      registers: [registry],
      collect: read<Counter>((counter) => counter.inc(sources.droppedWorkerLogLines())),
    });
    new Counter({
      name: 'fcaenet_events_published_total',
      help: 'Run events that arrived everywhere they go.',
      registers: [registry],
      collect: read<Counter>((counter) => counter.inc(sources.events().published)),
    });
    new Counter({
      name: 'fcaenet_events_lost_total',
      help: 'Run events given up because their place could not be reached.',
      registers: [registry],
      collect: read<Counter>((counter) => counter.inc(sources.events().lost)),
    });
    new Gauge({
      name: 'fcaenet_nats_connected',
      help: 'Whether the NATS server is reached; absent where none is configured.',
      registers: [registry],
      collect: read<Gauge>((gauge) => {
        gauge.remove();
        const connected = sources.natsConnected();
        if (connected !== null) gauge.set(connected ? 1 : 0);
      }),
    });
    this.term.set(sources.term);
    new Gauge({
      name: 'fcaenet_checkpoint_age_seconds',
      help: 'Time since this process wrote its last checkpoint; absent before the first.',
      registers: [registry],
      collect: read<Gauge>((gauge) => {
        // A gauge without labels shows 0 after a reset; only removing it leaves it out.
        gauge.remove();
        if (this.checkpointAtMs !== undefined) gauge.set((sources.nowMs() - this.checkpointAtMs) / 1000);
      }),
    });
  }

  setEngine(engine: string, version: string, device: string, instructionSet: string): void {
    this.engine.set({ engine, version, device, instruction_set: instructionSet }, 1);
  }

  /** @param step counted over the whole run; iteration and epoch count what is finished */
  setPosition(iteration: number, epoch: number, step: number): void {
    this.iteration.set(iteration);
    this.epoch.set(epoch);
    this.step.set(step);
  }

  /** @param losses by term: similarity, quantisation, positive, augmented */
  stepDone(losses: ArrayLike<number>, seconds: number, images: number): void {
    lossTerms.forEach((term, index) => {
      this.loss.set({ term }, losses[index]!);
    });
    this.images.inc(images);
    this.stepSeconds.observe(seconds);
    if (seconds > 0) this.imagesPerSecond.set(images / seconds);
  }

  /** What a worker says of its time; nonsense is left out. */
  microbatchesComputed(computeSeconds: number, imageWaitSeconds: number): void {
    if (!(computeSeconds >= 0 && imageWaitSeconds >= 0)) return;
    if (!Number.isFinite(computeSeconds + imageWaitSeconds)) return;
    this.computing.inc(computeSeconds);
    this.imageWait.inc(imageWaitSeconds);
  }

  codesUpdated(flippedBits: number, seconds: number): void {
    this.flippedBits.set(flippedBits);
    this.vStepSeconds.set(seconds);
  }

  evaluated(mAP: number, tieAveragedMAP: number): void {
    this.meanAveragePrecision.set({ ties: 'index' }, mAP);
    this.meanAveragePrecision.set({ ties: 'averaged' }, tieAveragedMAP);
  }

  checkpointWritten(seconds: number): void {
    this.checkpointSeconds.set(seconds);
    this.checkpointAtMs = this.sources.nowMs();
  }

  gradientRefused(reason: string): void {
    this.refused.inc({ reason });
  }

  microbatchesOverdue(count: number): void {
    this.overdue.inc(count);
  }

  microbatchCompared(outcome: 'agreed' | 'contradiction'): void {
    this.compared.inc({ outcome });
  }

  workerSetAside(fault: string): void {
    this.setAside.inc({ fault });
  }

  microbatchesRedispatched(count: number): void {
    this.redispatched.inc(count);
  }

  private gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  private counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
