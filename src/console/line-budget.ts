/** Rate limit of lines: `burst` at once, `perSecond` on average. It has no clock: callers pass times. */
export class LineBudget {
  private left: number;
  private filledAtMs: number | null = null;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.left = burst;
  }

  /** Takes one line from the budget; false when there is none left. */
  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - (this.filledAtMs ?? nowMs));
    this.filledAtMs = nowMs;
    this.left = Math.min(this.burst, this.left + (passedMs / 1000) * this.perSecond);
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}
