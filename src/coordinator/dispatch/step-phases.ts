import type { Clock } from '../../clock.js';

/**
 * What a step spends its time on, seen by the coordinator, in order:
 * - `pairing`: where the loss is over pairs, the outputs of the whole batch are computed and compared;
 * - `sending`: weights and work leave for the workers;
 * - `computing`: nothing has come back yet;
 * - `waiting`: answers arrive, and the rest is waited for;
 * - `reducing`: answers are checked, hashed and summed, between arrivals;
 * - `updating`: the sum is applied: ledger, SGD, statistics.
 */
export const stepPhases = ['pairing', 'sending', 'computing', 'waiting', 'reducing', 'updating'] as const;
export type StepPhase = (typeof stepPhases)[number];

/** Times the phases of one step. At every moment it is in one of them, so their times add up to the step's. */
export class StepPhases {
  private readonly beganMs: number;
  private pairedMs: number;
  private sentMs: number | null = null;
  private answeringMs: number | null = null;
  private summedMs: number | null = null;
  private reducingMs = 0;

  /** The step begins. */
  constructor(private readonly clock: Pick<Clock, 'nowMs'>) {
    this.beganMs = clock.nowMs();
    this.pairedMs = this.beganMs;
  }

  /** The loss over pairs is known; never called where there is none. */
  paired(): void {
    this.pairedMs = this.clock.nowMs();
  }

  /** The weights and the work that was handed out first have left. */
  sent(): void {
    this.sentMs ??= this.clock.nowMs();
  }

  /** An answer begins to arrive. */
  answering(): void {
    this.answeringMs ??= this.clock.nowMs();
  }

  /** Handles an answer of this step. @returns what `action` returns, maybe a promise, whose time does not count */
  handle<Result>(action: () => Result): Result {
    const startedMs = this.clock.nowMs();
    const result = action();
    if (this.summedMs === null) this.reducingMs += this.clock.nowMs() - startedMs;
    return result;
  }

  /** The sum is complete. */
  summed(): void {
    this.summedMs ??= this.clock.nowMs();
  }

  /** Seconds of each phase until now. */
  seconds(): Readonly<Record<StepPhase, number>> {
    const endMs = this.clock.nowMs();
    const summedMs = this.summedMs ?? endMs;
    const answeringMs = this.answeringMs ?? summedMs;
    // A worker may answer while others still receive their weights.
    const sentMs = Math.min(this.sentMs ?? answeringMs, answeringMs);
    return {
      pairing: (this.pairedMs - this.beganMs) / 1000,
      sending: (sentMs - this.pairedMs) / 1000,
      computing: (answeringMs - sentMs) / 1000,
      waiting: (summedMs - answeringMs - this.reducingMs) / 1000,
      reducing: this.reducingMs / 1000,
      updating: (endMs - summedMs) / 1000,
    };
  }
}
