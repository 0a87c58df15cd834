/** Number of recent microbatch times that are kept. */
const window = 64;
const quantile = 0.9;
/** A deadline is this many times the recent time of a share. */
const patience = 4;
/** Shortest deadline: a short hiccup of the machine does not make a straggler. */
const leastSeconds = 1;
/** Longest deadline of one microbatch, also used before the first measurement. */
const mostSecondsPerMicrobatch = 60;

/** Estimates deadlines from the times of recent microbatches. */
export class DeadlineEstimator {
  private readonly recent: number[] = [];

  /** @param secondsPerMicrobatch from handing out to the answer, transfers included */
  observe(secondsPerMicrobatch: number): void {
    this.recent.push(secondsPerMicrobatch);
    if (this.recent.length > window) this.recent.shift();
  }

  /** Seconds within which a worker should answer the `microbatches` that it holds. */
  secondsFor(microbatches: number): number {
    const sorted = [...this.recent].sort((a, b) => a - b);
    const usual = sorted[Math.floor(quantile * (sorted.length - 1))] ?? mostSecondsPerMicrobatch;
    const each = Math.min(patience * usual, mostSecondsPerMicrobatch);
    return Math.max(leastSeconds, each * microbatches);
  }
}
