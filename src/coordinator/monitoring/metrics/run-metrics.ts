import { Registry } from 'prom-client';
import type { Member } from '../../dispatch/member.js';
import type { CoordinatorEvent } from '../coordinator-event.js';
import { type CertificateSources, registerCertificateMetrics } from './certificate-metrics.js';
import { CheckpointMetrics, type CheckpointSources } from './checkpoint-metrics.js';
import { type EventSources, registerEventMetrics } from './event-metrics.js';
import { FleetMetrics, type FleetSources } from './fleet-metrics.js';
import { Instruments } from './instruments.js';
import { type ProcessSources, registerProcessMetrics } from './process-metrics.js';
import { TrainingMetrics, type TrainingSources } from './training-metrics.js';
import { registerWorkerMetrics } from './worker-metrics.js';

/** What metrics read when they are scraped, instead of being told each time. */
export interface MetricsSources
  extends TrainingSources,
    FleetSources,
    CheckpointSources,
    EventSources,
    CertificateSources,
    ProcessSources {
  /** The run's name: the label `run` of every metric. */
  readonly run: string;
  /** Workers that are there, by slot. */
  members(): readonly Pick<Member, 'slot' | 'state' | 'engine' | 'certificateExpiryMs' | 'tally'>[];
}

/** The run's numbers for Prometheus, in a registry of their own. docs/metrics.md lists them. */
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

  /** Counts what happens. */
  take(event: CoordinatorEvent): void {
    this.training.take(event);
    this.fleet.take(event);
    this.checkpoints.take(event);
  }
}
