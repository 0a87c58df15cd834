const firstDelayMs = 50;
/**
 * Longest wait, by how long the coordinator has been away. A crashed coordinator is usually back within seconds, and
 * every second of waiting then costs training time. After minutes, a second makes no difference.
 */
const bounds = [
  { awayMs: 5 * 60_000, mostMs: 10_000 },
  { awayMs: 10_000, mostMs: 1_000 },
  { awayMs: 0, mostMs: 100 },
] as const;

/**
 * How long to wait before the next attempt to reach a coordinator. The wait doubles after each failed attempt, up to a
 * tenth of a second, up to one second when the coordinator has been away for ten seconds, and up to ten seconds after
 * five minutes. The second half of each wait is random, so that workers do not all reconnect at the same time.
 * @param failedAttempts in a row, at least 1
 * @param awayMs since the coordinator was last reached
 * @param random from 0 to below 1
 */
export function retryDelayMs(failedAttempts: number, awayMs: number, random: number): number {
  const most = bounds.find((bound) => awayMs >= bound.awayMs)!.mostMs;
  // 2^30 × 50 ms is above every limit, and a larger exponent could overflow.
  const delay = Math.min(most, firstDelayMs * 2 ** Math.min(30, failedAttempts - 1));
  return delay * (0.5 + 0.5 * random);
}
