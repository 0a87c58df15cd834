import { stat } from 'node:fs/promises';
import { devNull } from 'node:os';
import { type Clock, systemClock } from '../clock.js';
import { DiskError } from './error.js';

/** An operation is overdue after so many seconds. */
export const overdueSeconds = 5;
const tickMs = 1000;
/** Pokes that may wait at a time: behind a disk that is truly gone they would pile up. */
const mostPokes = 100;

interface Wait {
  readonly operation: string;
  readonly file: string;
  /** Tick at which it began. */
  readonly since: number;
  /** Null waits for ever. */
  readonly patience: { readonly seconds: number; readonly giveUp: (error: DiskError) => void } | null;
  isOverdue: boolean;
}

/** An operation that is overdue, told once. */
export interface OverdueOperation {
  readonly operation: string;
  readonly file: string;
  readonly seconds: number;
}

/**
 * Watches what waits for libuv's pool of threads: file operations, and the decoding of pictures.
 *
 * The pool can lose a wake-up, as in glibc's bug 25847: then work is queued while all of its threads sleep, until
 * something else is queued. So while an operation is overdue, a cheap one is sent after it every second. Time is counted
 * in turns of the event loop, so that what a busy or stopped process has not yet looked at is not held against the disk.
 */
export class DiskWatch {
  private readonly waits = new Set<Wait>();
  private ticks = 0;
  private stopTicking: (() => void) | null = null;
  private pokes = 0;
  /** Operations that were overdue so far. */
  overdueTotal = 0;
  /** Told of each operation that becomes overdue; the last one that was set. */
  onOverdue: (overdue: OverdueOperation) => void = () => {};

  /** @param poke queues something cheap that needs no disk */
  constructor(
    private readonly poke: () => Promise<unknown> = () => stat(devNull),
    private readonly clock: Clock = systemClock,
  ) {}

  /** Seconds for which the longest of the overdue operations has not answered; 0 where none is overdue. */
  get longestSeconds(): number {
    const longest = this.waits.values().next().value;
    return longest?.isOverdue ? this.secondsOf(longest) : 0;
  }

  /** Counts and tells of an operation that is overdue: of this watch, or of another thread's. */
  report({ operation, file, seconds }: OverdueOperation): void {
    this.overdueTotal++;
    this.onOverdue({ operation, file, seconds });
  }

  /**
   * Passes on what `work` gives, and watches it until then.
   * @param operation what it is called in a warning, as "read"
   * @param file that it concerns
   * @param patienceSeconds null waits for as long as it takes
   * @throws DiskError DISK_NO_ANSWER after that time; what comes later is dropped
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
    // The oldest come first.
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
    if (this.pokes === mostPokes) return;
    this.pokes++;
    const answered = () => void this.pokes--;
    this.poke().then(answered, answered);
  }

  private secondsOf({ since }: Wait): number {
    return ((this.ticks - since) * tickMs) / 1000;
  }
}

/** The watch of this thread. */
export const diskWatch = new DiskWatch();
