/** Pieces that arrive within so long are added up: longer than a pause of this process. */
const spanSeconds = 0.25;
/** What was measured so long ago counts half. */
const halfLifeSeconds = 30;
/** A line is given this many times what it seems to need: connections do not share it evenly. */
const patience = 4;
const mostSeconds = 60;

/**
 * How fast one direction of the coordinator's line has recently carried tensors at most. When several workers share a
 * full line, each gets a part of it.
 */
export class LinePace {
  private spanOpenedAt = Number.NEGATIVE_INFINITY;
  /** When the first of its pieces was under way. */
  private spanBeganAt = 0;
  private spanBytes = 0;
  /** The highest rate, in bytes a second, and when it was measured. */
  private best = 0;
  private bestAt = 0;

  /**
   * A piece has passed.
   * @param seconds for how long it was under way. Pieces of many connections may pass at once after a long time
   */
  moved(bytes: number, seconds: number, nowSeconds: number): void {
    if (nowSeconds - this.spanOpenedAt >= spanSeconds) {
      this.spanOpenedAt = nowSeconds;
      this.spanBeganAt = nowSeconds;
      this.spanBytes = 0;
    }
    this.spanBeganAt = Math.min(this.spanBeganAt, nowSeconds - seconds);
    this.spanBytes += bytes;
    const rate = this.spanBytes / Math.max(nowSeconds - this.spanBeganAt, spanSeconds);
    if (rate < this.rateAt(nowSeconds)) return;
    this.best = rate;
    this.bestAt = nowSeconds;
  }

  /** Seconds that `bytes` take while `sharers` connections use the line; infinite before anything was measured. */
  secondsFor(bytes: number, sharers: number, nowSeconds: number): number {
    return bytes === 0 ? 0 : (bytes * sharers) / this.rateAt(nowSeconds);
  }

  /** Seconds after which `bytes` that have not come are late. */
  patienceFor(bytes: number, sharers: number, nowSeconds: number): number {
    return Math.min(patience * this.secondsFor(bytes, sharers, nowSeconds), mostSeconds);
  }

  private rateAt(nowSeconds: number): number {
    return this.best * 0.5 ** ((nowSeconds - this.bestAt) / halfLifeSeconds);
  }
}

/** Both directions of the coordinator's line. */
export interface Line {
  readonly received: LinePace;
  readonly sent: LinePace;
}
