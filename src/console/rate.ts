interface Sample {
  readonly atMs: number;
  readonly done: number;
}

/** Growth rate of a count over the last `windowMs`. It has no clock: times are passed with the counts. */
export class RateMeter {
  private samples: Sample[] = [];

  constructor(private readonly windowMs = 10_000) {}

  record(done: number, atMs: number): void {
    this.samples.push({ atMs, done });
    // Keep one sample older than the window, so that the whole window is covered.
    while (this.samples.length > 2 && this.samples[1]!.atMs <= atMs - this.windowMs) {
      this.samples.shift();
    }
  }

  /** Counts per second; 0 before two counts at different times. */
  get perSecond(): number {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) {
      return 0;
    }
    return ((last.done - first.done) * 1000) / (last.atMs - first.atMs);
  }

  /** Seconds until `total` at this rate; null while the rate is unknown. */
  secondsUntil(total: number): number | null {
    const last = this.samples.at(-1);
    const { perSecond } = this;
    return last === undefined || perSecond <= 0 ? null : Math.max(0, total - last.done) / perSecond;
  }
}
