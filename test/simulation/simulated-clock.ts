import type { Clock } from '../../src/clock.js';

interface Timer {
  readonly atMs: number;
  /** Of two timers of the same moment the one that was set first goes first. */
  readonly order: number;
  readonly action: () => void;
}

/** The one time of a simulation. It passes only from one thing that was due to the next. */
export class SimulatedTime {
  nowMs = 0;
  private readonly timers = new Set<Timer>();
  private orders = 0;

  /** @returns how to call it off */
  after(ms: number, action: () => void): () => void {
    const timer = { atMs: this.nowMs + Math.max(0, ms), order: this.orders++, action };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** Lets the next thing happen. @returns false where nothing is due any more */
  advance(): boolean {
    let next: Timer | undefined;
    for (const timer of this.timers) {
      const isEarlier =
        !next || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order);
      if (isEarlier) next = timer;
    }
    if (!next) return false;
    this.timers.delete(next);
    this.nowMs = next.atMs;
    next.action();
    return true;
  }
}

/**
 * One process of a simulation, as far as time reaches it: what is due while it is stopped comes when it goes on, and
 * after its end nothing comes.
 */
export class SimulatedProcess implements Clock {
  private state: 'running' | 'stopped' | 'ended' = 'running';
  private deferred: (() => void)[] = [];
  private offsetMs = 0;
  private readonly onEnd: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly time: SimulatedTime,
  ) {}

  get isRunning(): boolean {
    return this.state === 'running';
  }

  get hasEnded(): boolean {
    return this.state === 'ended';
  }

  nowMs(): number {
    return this.time.nowMs;
  }

  date(): Date {
    return new Date(1_800_000_000_000 + this.time.nowMs + this.offsetMs);
  }

  /** Sets the calendar of this process forward or back. */
  jump(ms: number): void {
    this.offsetMs += ms;
  }

  after(ms: number, action: () => void): () => void {
    let isCancelled = false;
    const cancel = this.time.after(ms, () => this.carryOut(() => isCancelled || action()));
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  every(ms: number, action: () => void): () => void {
    let cancel = () => {};
    const next = () => {
      cancel = this.after(ms, () => {
        next();
        action();
      });
    };
    next();
    return () => cancel();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Carries out something that reaches this process from outside. */
  carryOut(action: () => void): void {
    if (this.state === 'running') action();
    else if (this.state === 'stopped') this.deferred.push(action);
  }

  /** SIGSTOP */
  stop(): void {
    if (this.state === 'running') this.state = 'stopped';
  }

  /** SIGCONT */
  continue(): void {
    if (this.state !== 'stopped') return;
    this.state = 'running';
    for (const action of this.deferred.splice(0)) this.carryOut(action);
  }

  /** SIGKILL, or its own end. */
  end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.deferred = [];
    for (const each of this.onEnd.splice(0)) each();
  }

  /** What the system does when the process is gone, such as closing its connections. */
  whenEnded(action: () => void): void {
    this.onEnd.push(action);
  }
}
