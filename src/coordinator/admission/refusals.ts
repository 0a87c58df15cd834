import type { Log } from '../../console/log.js';

/** A flood of strangers must not become a flood of lines. */
const quietMs = 10_000;

/** Counts who was not let in, by reason, and logs the first of each reason at once and more at most every 10 s. */
export class Refusals {
  private readonly counts = new Map<string, { total: number; unlogged: number; loggedAtMs: number }>();

  constructor(
    private readonly log: Log,
    private readonly nowMs: () => number,
  ) {}

  /**
   * @param reason one of a few words, lower case
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
    this.log.warn('refused a connection', { code: reason.toUpperCase(), reason: sentence, address, ...more });
    count.unlogged = 0;
    count.loggedAtMs = now;
    return true;
  }

  /** Refusals so far, by reason. */
  totals(): Record<string, number> {
    return Object.fromEntries([...this.counts].map(([reason, { total }]) => [reason, total]));
  }
}
