import { type Clock, systemClock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import { ExitCode, FcaenetError } from '../../errors.js';
import type { WorkerFailure, WorkerPool } from '../dispatch/pool.js';

/** Exit codes of a worker that cannot use its copy of the dataset. Restarting it cannot help. */
const dataFailures: readonly number[] = [ExitCode.badData, ExitCode.missingInput];

export interface UnusableDataOptions {
  /** Time to wait for other workers. */
  readonly waitSeconds: number;
  readonly log: Log;
  /** Called with the last worker's error. */
  readonly onUnusable: (error: FcaenetError) => void;
  readonly clock?: Clock;
}

/**
 * Ends a run that no worker can continue: the last worker failed because of its pictures, and no other worker joins
 * within a time limit. Workers that only lost their connection are back within that time.
 */
export class UnusableData {
  private callOff = () => {};

  constructor(
    private readonly pool: WorkerPool,
    private readonly options: UnusableDataOptions,
  ) {
    pool.on('gone', (_, { failure }) => {
      const isUseless = failure !== null && dataFailures.includes(failure.exitCode);
      if (isUseless && pool.all().length === 0) this.wait(failure);
    });
    pool.on('ready', () => this.stop());
  }

  stop(): void {
    this.callOff();
    this.callOff = () => {};
  }

  private wait({ message, exitCode }: WorkerFailure): void {
    const { waitSeconds, log, onUnusable, clock = systemClock } = this.options;
    log.warn('no worker is left; the run ends unless a worker joins', { waitSeconds, reason: message });
    this.stop();
    const error = new FcaenetError(
      'COORDINATOR_NO_WORKERS',
      `no worker can use its pictures: ${message}`,
      exitCode as ExitCode,
    );
    this.callOff = clock.after(1000 * waitSeconds, () => {
      // Wait for a worker that is about to join. If it fails too, the wait starts again.
      if (this.pool.all().length === 0) onUnusable(error);
    });
  }
}
