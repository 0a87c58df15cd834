const turnMs = 500;
const answersPerTurn = 50;
/** One connection can ask again before it has its answer. */
const mostWaiting = 150;

/**
 * Bounds the answers in a time, so that readers, however many and however fast, cannot take the processor from the run.
 * Answers beyond the bound wait for the next turn, up to a number.
 */
export class AnswerPace {
  private left = answersPerTurn;
  private waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | null = null;

  /**
   * Resolves when an answer may be sent: at once, or after half a second for each fifty that wait already.
   * @returns false, at once, when too many wait
   */
  async turn(): Promise<boolean> {
    if (this.waiting.length >= mostWaiting) return false;
    this.timer ??= setTimeout(() => this.begin(), turnMs).unref();
    if (this.left > 0) this.left--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    return true;
  }

  private begin(): void {
    const released = this.waiting.splice(0, answersPerTurn);
    this.left = answersPerTurn - released.length;
    this.timer = released.length > 0 ? setTimeout(() => this.begin(), turnMs).unref() : null;
    for (const release of released) release();
  }
}
