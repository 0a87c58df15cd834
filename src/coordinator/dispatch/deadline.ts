/** Number of recent microbatch times that are kept. */
const window = 64;
const quantile = 0.9;
/** A deadline is this many times the recent time of a share. */
const patience = 4;
/** Shortest deadline: a short hiccup of the machine does not make a straggler. */
const leastSeconds = 1;
/** Longest deadline of one microbatch, also used before the first measurement. */
const mostSecondsPerMicrobatch = 60;
/** Shortest deadline while most workers have not answered: what is usual now is not known. */
const leastSecondsWhileUnsure = 60;

/** Estimates deadlines from the times of recent microbatches. */
export class DeadlineEstimator {
  private readonly recent: number[] = [];

  /** @param secondsPerMicrobatch from the moment at which the work has left to the answer, its transfer included */
  observe(secondsPerMicrobatch: number): void {
    this.recent.push(secondsPerMicrobatch);
    if (this.recent.length > window) this.recent.shift();
  }

  /**
   * Seconds within which something of the `microbatches` that a worker holds should move.
   * @param isUnsure whether most workers have not answered yet
   */
  secondsFor(microbatches: number, isUnsure = false): number {
    const each = Math.min(patience * this.usualSeconds, mostSecondsPerMicrobatch);
    return Math.max(isUnsure ? leastSecondsWhileUnsure : leastSeconds, each * microbatches);
  }

  /** Seconds that nearly all recent microbatches stayed below. */
  get usualSeconds(): number {
    const sorted = [...this.recent].sort((a, b) => a - b);
    return sorted[Math.floor(quantile * (sorted.length - 1))] ?? mostSecondsPerMicrobatch;
  }
}
