import type { Fence } from '../../checkpoint/store.js';
import type { Clock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import type { FcaenetError } from '../../errors.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { NatsLease } from '../../transport/events/nats-lease.js';
import { CoordinatorError } from '../error.js';

/** Renewals in the time that a lease lasts: two may come late. */
const renewalsPerLease = 3;

export interface LeadershipOptions {
  readonly directory: RunDirectory;
  /** Null where no NATS server is configured. */
  readonly natsLease: NatsLease | null;
  /** How long others wait for a sign of life. */
  readonly leaseSeconds: number;
  readonly log: Log;
  readonly clock: Clock;
  /** Called once, when another coordinator has taken the run. */
  readonly onDeposed: (error: FcaenetError) => void;
}

/**
 * That this process is the run's one coordinator: the term it was granted, the lease that it renews, and the guard of
 * everything durable. A process that was stopped for longer than its lease may have been replaced; it finds out at
 * its next write at the latest, and what slips through between look and write is never read (see `Terms`).
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
   * @param options.directory held by this process
   * @throws TransportError TRANSPORT_NATS_LEASE_HELD
   */
  static async take(options: LeadershipOptions): Promise<Leadership> {
    const { directory, natsLease } = options;
    await natsLease?.acquire();
    const term = directory.nextTerm(natsLease?.lastTerm ?? 0);
    await natsLease?.announce(term);
    return new Leadership(term, options);
  }

  /** Whether this process still leads. */
  isHeld(): boolean {
    return !this.deposed && this.options.directory.isHeld(this.term);
  }

  /** @throws CoordinatorError COORDINATOR_DEPOSED when another coordinator has the run */
  check(): void {
    if (!this.isHeld()) throw this.depose();
  }

  accepts(term: number, name: string): boolean {
    return this.options.directory.terms.acceptsCheckpoint(term, name);
  }

  /** Lets others lead. */
  async release(): Promise<void> {
    this.stopRenewing();
    await this.options.natsLease?.release();
  }

  private async renew(): Promise<void> {
    const { directory, natsLease, log } = this.options;
    if (this.deposed) return;
    try {
      if (!directory.renew() || !this.isHeld()) this.depose();
      else if ((await natsLease?.renew()) === 'lost') this.depose();
    } catch (error) {
      // A disk that fails for a moment is no other coordinator.
      log.warn('lease not renewed', { reason: (error as Error).message });
    }
  }

  private depose(): CoordinatorError {
    const { directory, log, onDeposed } = this.options;
    const highest = directory.terms.highest();
    const error = new CoordinatorError(
      'COORDINATOR_DEPOSED',
      `another coordinator has taken ${directory.path} (term ${this.term} here, ${highest} is the highest granted); this one has stopped writing`,
    );
    if (!this.deposed) {
      this.deposed = true;
      this.stopRenewing();
      log.error('another coordinator has the run', { term: this.term, highest });
      onDeposed(error);
    }
    return error;
  }
}

/** For those who only read a run's checkpoints. */
export function readersFence(directory: RunDirectory): Fence {
  return {
    accepts: (term, name) => directory.terms.acceptsCheckpoint(term, name),
    check: () => {},
  };
}
