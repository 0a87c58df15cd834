/** Common network lines, in gigabits per second and direction. */
const commonLines = [1, 10, 25] as const;

/** Messages on a line that suffices add at most this part to the time of computing. */
const sufficientShare = 0.1;

/** The effect of network lines of one rate between coordinator and workers, all on machines of their own. */
export interface LineEstimate {
  readonly gigabitsPerSecond: number;
  /** Share that messages add to the computing time. */
  readonly addedShare: number;
  readonly suffices: boolean;
}

/**
 * What the common lines add. Weights are sent before a step's computation and gradients after it, so workers wait
 * during transfers.
 * @param bytesPerSecond of messages that the busiest line carries one after another, per second of computing
 */
export function commonLineEstimates(bytesPerSecond: number): LineEstimate[] {
  return commonLines.map((gigabitsPerSecond) => {
    const addedShare = (8 * bytesPerSecond) / (gigabitsPerSecond * 1e9);
    return { gigabitsPerSecond, addedShare, suffices: addedShare <= sufficientShare };
  });
}

/**
 * Describes for how many workers each line is sufficient.
 * @param fleets with increasing numbers of workers, and the same lines
 */
export function describeLines(
  fleets: readonly { readonly workers: number; readonly lines: readonly LineEstimate[] }[],
): string {
  const sentences = commonLines.map((rate, index) => {
    const enough = fleets.filter(({ lines }) => lines[index]?.suffices).at(-1)?.workers;
    const all = enough === fleets.at(-1)?.workers;
    const line = `A line of ${rate} Gbit/s`;
    if (enough === undefined) return `${line} is not sufficient for any of these numbers of workers.`;
    const workers = enough === 1 ? '1 worker' : `up to ${enough} workers`;
    return `${line} is sufficient for ${all ? 'all of these numbers of workers' : workers}.`;
  });
  return `A line is sufficient if messages add at most ${100 * sufficientShare}% to the hours.\n${sentences.join('\n')}\n`;
}
