import type { Fence } from '../../checkpoint/store.js';
import type { Clock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { FcaenetError } from '../../errors.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { NatsLease } from '../../transport/events/nats-lease.js';
import { CoordinatorError } from '../error.js';

/** Renewals within a lease's duration, so that two may be late. */
const renewalsPerLease = 3;

export interface LeadershipOptions {
  readonly directory: RunDirectory;
  /** Null when no NATS server is configured. */
  readonly natsLease: NatsLease | null;
  /** Seconds after the last renewal until another coordinator may take over. */
  readonly leaseSeconds: number;
  readonly log: Log;
  readonly clock: Clock;
  /** Called once, when another coordinator has taken over the run, or the run directory is gone. */
  readonly onDeposed: (error: FcaenetError) => void;
}

/**
 * Makes this process the run's only coordinator: holds the term it was granted, renews its lease, and guards everything
 * durable. A process that was stopped for longer than its lease may have been replaced. It detects this at its next
 * write at the latest. A write between the check and the replacement is never read (see `Terms`).
 */
export class Leadership implements Fence {
  private deposed = false;
  private readonly stopRenewing: () => void;

  private constructor(
    readonly term: number,
    private readonly options: LeadershipOptions,
  ) {
    const { leaseSeconds, clock } = options;
    this.stopRenewing = clock.every((leaseSeconds * 1000) / renewalsPerLease, () => void this.renew());
  }

  /**
   * @param options.directory locked by this process
   * @throws TransportError TRANSPORT_NATS_LEASE_HELD
   */
  static async take(options: LeadershipOptions): Promise<Leadership> {
    const { directory, natsLease } = options;
    await natsLease?.acquire();
    const term = directory.nextTerm(natsLease?.lastTerm ?? 0);
    await natsLease?.announce(term);
    return new Leadership(term, options);
  }

  /** Whether this process still leads. Takes the lock again when somebody has removed its file. */
  isHeld(): boolean {
    const { directory, log } = this.options;
    if (this.deposed) return false;
    if (directory.isHeld(this.term)) return true;
    if (!directory.regain(this.term)) return false;
    log.warn('the lock of the run directory was removed; this coordinator has taken it again', {
      directory: directory.path,
    });
    return true;
  }

  /**
   * @throws CoordinatorError COORDINATOR_DEPOSED when another coordinator has taken over the run,
   * COORDINATOR_DIRECTORY_GONE when the run directory was removed, moved or emptied
   */
  check(): void {
    if (!this.isHeld()) throw this.depose();
  }

  accepts(term: number, name: string): boolean {
    return this.options.directory.terms.acceptsCheckpoint(term, name);
  }

  /** Releases the lease. */
  async release(): Promise<void> {
    this.stopRenewing();
    await this.options.natsLease?.release();
  }

  private async renew(): Promise<void> {
    const { directory, natsLease, log } = this.options;
    if (this.deposed) return;
    try {
      if (!this.isHeld() || !directory.renew()) this.depose();
      else if ((await natsLease?.renew()) === 'lost') this.depose();
    } catch (error) {
      // A short disk failure does not mean that another coordinator leads.
      log.warn('lease not renewed', { reason: (error as Error).message });
    }
  }

  private depose(): CoordinatorError {
    const { directory, log, onDeposed } = this.options;
    const highest = directory.terms.highest();
    const isGone = directory.isGone || highest < this.term;
    const error = isGone
      ? new CoordinatorError(
          'COORDINATOR_DIRECTORY_GONE',
          `the run directory ${directory.path} was removed, moved or emptied while the run was active, so this coordinator has ended; if it was moved, move it back, and --resume goes on from its newest checkpoint`,
        )
      : new CoordinatorError(
          'COORDINATOR_DEPOSED',
          `another coordinator has taken over ${directory.path} (this coordinator has term ${this.term}, the highest granted term is ${highest}); this coordinator has stopped writing`,
        );
    if (!this.deposed) {
      this.deposed = true;
      this.stopRenewing();
      if (isGone) log.error('the run directory was removed, moved or emptied', { directory: directory.path });
      else log.error('another coordinator has taken over the run', { term: this.term, highest });
      onDeposed(error);
    }
    return error;
  }
}

/** For processes that only read a run's checkpoints. */
export function readersFence(directory: RunDirectory): Fence {
  return {
    accepts: (term, name) => directory.terms.acceptsCheckpoint(term, name),
    check: () => {},
  };
}
