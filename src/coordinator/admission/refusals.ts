import type { Log } from '../../console/log.js';

/** Limits the log when many connections are refused. */
const quietMs = 10_000;

/**
 * Counts refused connections by reason. Logs the first of each reason immediately, and later ones at most every 10 s.
 */
export class Refusals {
  private readonly counts = new Map<string, { total: number; unlogged: number; loggedAtMs: number }>();

  constructor(
    private readonly log: Log,
    private readonly nowMs: () => number,
  ) {}

  /**
   * @param reason a short lower-case word
   * @returns whether it was logged
   */
  add(reason: string, sentence: string, address: string): boolean {
    const count = this.counts.get(reason) ?? { total: 0, unlogged: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
    this.counts.set(reason, count);
    count.total++;
    count.unlogged++;
    const now = this.nowMs();
    if (now - count.loggedAtMs < quietMs) return false;
    const more = count.unlogged > 1 ? { times: count.unlogged } : {};
    this.log.warn('connection refused', { code: reason.toUpperCase(), reason: sentence, address, ...more });
    count.unlogged = 0;
    count.loggedAtMs = now;
    return true;
  }

  /** Numbers of refused connections so far, by reason. */
  totals(): Record<string, number> {
    return Object.fromEntries([...this.counts].map(([reason, { total }]) => [reason, total]));
  }
}
