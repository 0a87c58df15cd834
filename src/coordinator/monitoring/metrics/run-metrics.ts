import { Registry } from 'prom-client';
import type { CoordinatorEvent } from '../coordinator-event.js';
import { type CertificateSources, registerCertificateMetrics } from './certificate-metrics.js';
import { CheckpointMetrics, type CheckpointSources } from './checkpoint-metrics.js';
import { type EventSources, registerEventMetrics } from './event-metrics.js';
import { FleetMetrics, type FleetSources } from './fleet-metrics.js';
import { Instruments } from './instruments.js';
import { type ProcessSources, registerProcessMetrics } from './process-metrics.js';
import { TrainingMetrics, type TrainingSources } from './training-metrics.js';
import { type MeasuredWorker, registerWorkerMetrics } from './worker-metrics.js';

/** Values that are read at every scrape. */
export interface MetricsSources
  extends TrainingSources,
    FleetSources,
    CheckpointSources,
    EventSources,
    CertificateSources,
    ProcessSources {
  /** The run's name: the label `run` of every metric. */
  readonly run: string;
  /** Present workers, by slot. */
  members(): readonly MeasuredWorker[];
}

/** All metrics of a run, in a registry of their own. docs/metrics.md lists them. */
export class RunMetrics {
  readonly registry = new Registry();
  readonly training: TrainingMetrics;
  readonly fleet: FleetMetrics;
  readonly checkpoints: CheckpointMetrics;

  constructor(sources: MetricsSources) {
    this.registry.setDefaultLabels({ run: sources.run });
    const instruments = new Instruments(this.registry);
    this.training = new TrainingMetrics(instruments, sources);
    this.fleet = new FleetMetrics(instruments, sources);
    registerWorkerMetrics(instruments, () => sources.members());
    this.checkpoints = new CheckpointMetrics(instruments, sources);
    registerEventMetrics(instruments, sources);
    registerProcessMetrics(instruments, sources);
    registerCertificateMetrics(instruments, sources);
  }

  /** Updates the metrics that an event changes. */
  take(event: CoordinatorEvent): void {
    this.training.take(event);
    this.fleet.take(event);
    this.checkpoints.take(event);
  }
}
