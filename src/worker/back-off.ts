const firstDelayMs = 50;
/**
 * The longest wait, by how long the coordinator has been away. One that crashed is back within seconds, and what it then
 * waits for its workers is lost; one that is still away after minutes is so for a reason that a second will not change.
 */
const bounds = [
  { awayMs: 5 * 60_000, mostMs: 10_000 },
  { awayMs: 10_000, mostMs: 1_000 },
  { awayMs: 0, mostMs: 100 },
] as const;

/**
 * How long to wait before the next attempt to reach a coordinator: twice as long after each failed attempt, up to a
 * tenth of a second, a second once it has been away for ten, ten seconds after five minutes. The later half of each wait is drawn, so that
 * workers that lost it together do not come back together.
 *
 * @param failedAttempts in a row, at least 1
 * @param awayMs since the coordinator was last there
 * @param random from 0 to below 1
 */
export function retryDelayMs(failedAttempts: number, awayMs: number, random: number): number {
  const most = bounds.find((bound) => awayMs >= bound.awayMs)!.mostMs;
  // 2^30 × 50 ms is beyond any bound, and a larger exponent could overflow.
  const delay = Math.min(most, firstDelayMs * 2 ** Math.min(30, failedAttempts - 1));
  return delay * (0.5 + 0.5 * random);
}
