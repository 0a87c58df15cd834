import { type DiskWatch, overdueSeconds } from '../../../disk/watch.js';
import type { CoordinatorEvent } from '../coordinator-event.js';
import type { DiskSpace } from './disk-space.js';
import type { Instruments } from './instruments.js';

export interface CheckpointSources {
  /** Space on the file system of the run directory; null when the file system does not answer in time. */
  diskSpace(): Promise<DiskSpace | null>;
  /** File operations of this process that were or are overdue. */
  readonly diskWatch: Pick<DiskWatch, 'overdueTotal' | 'longestSeconds'>;
  /** Unix time of the checkpoint from which this process resumed the run; null when it began the run. */
  readonly restoredAtMs: number | null;
  /** Unix time. */
  nowMs(): number;
}

/** Metrics of checkpoints: how much work a crash would lose, and whether there is space for the next checkpoint. */
export class CheckpointMetrics {
  private readonly seconds;
  private readonly bytes;
  private readonly failures;
  private readonly abandonedWrites;
  private lastAtMs: number | null;

  constructor(
    instruments: Instruments,
    private readonly sources: CheckpointSources,
  ) {
    this.lastAtMs = sources.restoredAtMs;
    this.seconds = instruments.lateGauge(
      'fcaenet_checkpoint_seconds',
      'Time that the last checkpoint took to become durable.',
    );
    this.bytes = instruments.lateGauge('fcaenet_checkpoint_bytes', 'Size of the last checkpoint.');
    this.failures = instruments.counter(
      'fcaenet_checkpoint_failures_total',
      'Checkpoints that could not be written.',
    );
    this.abandonedWrites = instruments.counter(
      'fcaenet_checkpoint_writes_abandoned_total',
      'Checkpoint writes that were begun anew because the disk did not answer.',
    );
    instruments.gaugeOf(
      'fcaenet_file_operation_wait_seconds',
      'Time for which the longest overdue file operation of this process has not answered; 0 while none is overdue.',
      [],
      (gauge) => gauge.set(sources.diskWatch.longestSeconds),
    );
    instruments.counterOf(
      'fcaenet_overdue_file_operations_total',
      `File operations of this process that did not answer within ${overdueSeconds} seconds.`,
      [],
      (counter) => counter.inc(sources.diskWatch.overdueTotal),
    );
    instruments.gaugeOf(
      'fcaenet_checkpoint_age_seconds',
      'Time since the run’s last checkpoint was written, also by an earlier process; absent before the first.',
      [],
      (gauge) => {
        // An earlier process may have run on a machine whose clock is ahead.
        if (this.lastAtMs !== null) gauge.set(Math.max(0, sources.nowMs() - this.lastAtMs) / 1000);
      },
    );
    const space = (name: string, help: string, part: keyof DiskSpace) =>
      instruments.gaugeOf(name, help, [], async (gauge) => {
        const found = await sources.diskSpace();
        if (found) gauge.set(found[part]);
      });
    space(
      'fcaenet_disk_free_bytes',
      'Space left for this process on the run directory’s file system.',
      'freeBytes',
    );
    space('fcaenet_disk_size_bytes', 'Size of the run directory’s file system.', 'sizeBytes');
  }

  take(event: CoordinatorEvent): void {
    switch (event.type) {
      case 'checkpoint.written':
        this.seconds.set(event.seconds);
        this.bytes.set(event.bytes);
        this.lastAtMs = this.sources.nowMs();
        break;
      case 'checkpoint.abandoned':
        this.abandonedWrites.inc();
        break;
      case 'checkpoint.failed':
        this.failures.inc();
        break;
    }
  }
}
