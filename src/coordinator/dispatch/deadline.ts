/** Microbatch times that are remembered. */
const window = 64;
const quantile = 0.9;
/** A share may take this many times what recent ones took. */
const patience = 4;
/** No deadline is shorter: a hiccup of the machine is no straggler. */
const leastSeconds = 1;
/** No microbatch is waited for longer; also what holds before the first was measured. */
const mostSecondsPerMicrobatch = 60;

/** Learns from recent microbatches how long to wait for the next ones. */
export class DeadlineEstimator {
  private readonly recent: number[] = [];

  /** @param secondsPerMicrobatch from handing out to the answer, transfers included */
  observe(secondsPerMicrobatch: number): void {
    this.recent.push(secondsPerMicrobatch);
    if (this.recent.length > window) this.recent.shift();
  }

  /** Seconds within which a worker should have answered `microbatches` that it holds. */
  secondsFor(microbatches: number): number {
    const sorted = [...this.recent].sort((a, b) => a - b);
    const usual = sorted[Math.floor(quantile * (sorted.length - 1))] ?? mostSecondsPerMicrobatch;
    const each = Math.min(patience * usual, mostSecondsPerMicrobatch);
    return Math.max(leastSeconds, each * microbatches);
  }
}
