import { stat } from 'node:fs/promises';
import { devNull } from 'node:os';
import { type Clock, systemClock } from '../clock.js';
import { DiskError } from './error.js';

/** An operation is overdue after this many seconds. */
export const overdueSeconds = 5;
const tickMs = 1000;
/** Largest number of waiting wake-up operations. Without it they would pile up behind a dead disk. */
const mostWakeUps = 100;

interface Wait {
  readonly operation: string;
  readonly file: string;
  /** Tick at which it started. */
  readonly since: number;
  /** Null waits without limit. */
  readonly patience: { readonly seconds: number; readonly giveUp: (error: DiskError) => void } | null;
  isOverdue: boolean;
}

/** An overdue operation, reported once. */
export interface OverdueOperation {
  readonly operation: string;
  readonly file: string;
  readonly seconds: number;
}

/**
 * Watches operations of libuv's thread pool: file operations and the decoding of pictures. The pool can lose a wake-up
 * (glibc bug 25847): then an operation stays queued while all threads sleep, until another operation is queued. So
 * while an operation is overdue, a cheap one is queued every second. Time is counted in turns of the event loop, so
 * that the time of a busy or stopped process does not count against the disk.
 */
export class DiskWatch {
  private readonly waits = new Set<Wait>();
  private ticks = 0;
  private stopTicking: (() => void) | null = null;
  private wakeUps = 0;
  /** Number of operations that were overdue so far. */
  overdueTotal = 0;
  /** Called for each operation that becomes overdue. Only the last listener is kept. */
  onOverdue: (overdue: OverdueOperation) => void = () => {};

  /** @param wakeUp queues a cheap operation that needs no disk */
  constructor(
    private readonly wakeUp: () => Promise<unknown> = () => stat(devNull),
    private readonly clock: Clock = systemClock,
  ) {}

  /** Seconds that the longest overdue operation has waited; 0 when none is overdue. */
  get longestSeconds(): number {
    const longest = this.waits.values().next().value;
    return longest?.isOverdue ? this.secondsOf(longest) : 0;
  }

  /** Counts and reports an overdue operation of this watch or of another thread's. */
  report({ operation, file, seconds }: OverdueOperation): void {
    this.overdueTotal++;
    this.onOverdue({ operation, file, seconds });
  }

  /**
   * Watches `work` and returns its result.
   * @param operation its name in a warning, such as "read"
   * @param file the file that it concerns
   * @param patienceSeconds null waits without limit
   * @throws DiskError DISK_NO_ANSWER after that time; a later result is dropped
   */
  until<Value>(
    operation: string,
    file: string,
    work: Promise<Value>,
    patienceSeconds: number | null = null,
  ): Promise<Value> {
    if (patienceSeconds === null) {
      this.add(work, { operation, file, since: this.ticks, patience: null, isOverdue: false });
      return work;
    }
    return new Promise((resolve, reject) => {
      work.then(resolve, reject);
      const patience = { seconds: patienceSeconds, giveUp: reject };
      this.add(work, { operation, file, since: this.ticks, patience, isOverdue: false });
    });
  }

  private add(work: Promise<unknown>, wait: Wait): void {
    this.waits.add(wait);
    const answered = () => void this.waits.delete(wait);
    work.then(answered, answered);
    this.stopTicking ??= this.clock.every(tickMs, () => this.tick());
  }

  private tick(): void {
    if (this.waits.size === 0) {
      this.stopTicking?.();
      this.stopTicking = null;
      return;
    }
    this.ticks++;
    let someOverdue = false;
    // Waits are in order of age.
    for (const wait of this.waits) {
      const seconds = this.secondsOf(wait);
      if (seconds < overdueSeconds) break;
      someOverdue = true;
      const { operation, file, patience } = wait;
      if (!wait.isOverdue) this.report({ operation, file, seconds });
      wait.isOverdue = true;
      if (patience === null || seconds < patience.seconds) continue;
      this.waits.delete(wait);
      patience.giveUp(new DiskError(operation, file, seconds));
    }
    if (someOverdue) this.wake();
  }

  private wake(): void {
    if (this.wakeUps === mostWakeUps) return;
    this.wakeUps++;
    const answered = () => void this.wakeUps--;
    this.wakeUp().then(answered, answered);
  }

  private secondsOf({ since }: Wait): number {
    return ((this.ticks - since) * tickMs) / 1000;
  }
}

/** The watch of this thread. */
export const diskWatch = new DiskWatch();
