import { type Clock, systemClock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import { ExitCode, FcaenetError } from '../../errors.js';
import type { WorkerFailure, WorkerPool } from '../dispatch/pool.js';

/** What a worker ends with whose copy of the dataset cannot be used: starting it again cannot help. */
const dataFailures: readonly number[] = [ExitCode.badData, ExitCode.missingInput];

export interface UselessDataOptions {
  /** How long others may stay away. */
  readonly waitSeconds: number;
  readonly log: Log;
  /** Told with the last worker's sentence. */
  readonly onUseless: (error: FcaenetError) => void;
  readonly clock?: Clock;
}

/**
 * Ends a run that no worker can go on with: the last of them failed because of its pictures, and for a while nobody
 * else is there. Whoever lost only its line is back by then.
 */
export class UselessData {
  private callOff = () => {};

  constructor(
    private readonly pool: WorkerPool,
    private readonly options: UselessDataOptions,
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
    const { waitSeconds, log, onUseless, clock = systemClock } = this.options;
    log.warn('no worker is left, and the run ends unless one joins', { waitSeconds, reason: message });
    this.stop();
    const error = new FcaenetError(
      'COORDINATOR_NO_WORKERS',
      `no worker is left that could use its pictures: ${message}`,
      exitCode as ExitCode,
    );
    this.callOff = clock.after(1000 * waitSeconds, () => {
      // One that is about to join is waited for; if it fails as well, the wait begins anew.
      if (this.pool.all().length === 0) onUseless(error);
    });
  }
}
