/** Lines that machines commonly have, in gigabits per second and each direction. */
const commonLines = [1, 10, 25] as const;

/** Messages on a line that suffices add at most this part to the time of computing. */
const sufficientShare = 0.1;

/** What a line between the coordinator and workers on other machines does to a run. */
export interface LineEstimate {
  readonly gigabitsPerSecond: number;
  /** What messages add to the time of computing, as a part of it. */
  readonly addedShare: number;
  readonly suffices: boolean;
}

/**
 * What the common lines add: weights go out before a step's computing and gradients come in after it, so that a line
 * works while the workers wait.
 * @param bytesPerSecond of messages, both ways together, per second of computing
 */
export function commonLineEstimates(bytesPerSecond: number): LineEstimate[] {
  return commonLines.map((gigabitsPerSecond) => {
    const addedShare = (8 * bytesPerSecond) / (gigabitsPerSecond * 1e9);
    return { gigabitsPerSecond, addedShare, suffices: addedShare <= sufficientShare };
  });
}

/**
 * For how many workers each line suffices, in words.
 * @param fleets with rising numbers of workers, and the same lines
 */
export function describeLines(
  fleets: readonly { readonly workers: number; readonly lines: readonly LineEstimate[] }[],
): string {
  const sentences = commonLines.map((rate, index) => {
    const enough = fleets.filter(({ lines }) => lines[index]?.suffices).at(-1)?.workers;
    const all = enough === fleets.at(-1)?.workers;
    const line = `A line of ${rate} Gbit/s`;
    if (enough === undefined) return `${line} does not suffice for any of these numbers of workers.`;
    const workers = enough === 1 ? '1 worker' : `up to ${enough} workers`;
    return `${line} suffices for ${all ? 'all of these numbers of workers' : workers}.`;
  });
  return `${sentences.join('\n')}\nOn a line that suffices, messages add at most ${100 * sufficientShare}% to the hours.\n`;
}
