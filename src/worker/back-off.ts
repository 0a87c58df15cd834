const firstDelayMs = 50;
/** A coordinator that crashed is back within seconds, and each second it waits for its workers is lost. */
const mostDelayMs = 1_000;
/** One that is still away after this long is away for a reason that a second will not change. */
const patientAfterMs = 5 * 60_000;
const mostPatientDelayMs = 10_000;

/**
 * How long to wait before the next attempt to reach a coordinator: twice as long after each failed attempt, up to a
 * second, or ten seconds once it has been away for five minutes. The later half of each wait is drawn, so that
 * workers that lost it together do not come back together.
 *
 * @param failedAttempts in a row, at least 1
 * @param awayMs since the coordinator was last there
 * @param random from 0 to below 1
 */
export function retryDelayMs(failedAttempts: number, awayMs: number, random: number): number {
  const most = awayMs < patientAfterMs ? mostDelayMs : mostPatientDelayMs;
  // 2^30 × 50 ms is beyond any bound, and a larger exponent could overflow.
  const delay = Math.min(most, firstDelayMs * 2 ** Math.min(30, failedAttempts - 1));
  return delay * (0.5 + 0.5 * random);
}
