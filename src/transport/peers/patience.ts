/** How long a caller waits for a process that does not answer, in milliseconds. */
export const callPatience = {
  /** Time limit to connect. */
  connectMs: 5_000,
  /** The same while what is for the process takes another way. */
  connectAgainMs: 30_000,
  /** Until a process that was lost is tried again. Each later pause is twice as long. */
  firstPauseMs: 10_000,
  longestPauseMs: 300_000,
} as const;

/** The pause after the one of so many milliseconds. */
export function nextPauseMs(pauseMs: number): number {
  return Math.min(2 * pauseMs, callPatience.longestPauseMs);
}
