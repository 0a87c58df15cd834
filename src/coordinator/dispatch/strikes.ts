/** Deadlines that a worker may miss within the window before it is set aside. */
const mostMisses = 8;
const windowSeconds = 600;

/** Counts each worker's recently missed deadlines. */
export class Strikes<Worker extends object> {
  private readonly misses = new WeakMap<Worker, number[]>();

  /**
   * Counts a missed deadline.
   * @returns whether the worker is above the limit
   */
  count(worker: Worker, nowSeconds: number): boolean {
    const recent = (this.misses.get(worker) ?? []).filter((at) => nowSeconds - at < windowSeconds);
    recent.push(nowSeconds);
    this.misses.set(worker, recent);
    return recent.length > mostMisses;
  }

  /** The limit in words, for the log. */
  static readonly rule = `more than ${mostMisses} deadlines within ${windowSeconds / 60} minutes`;
}
