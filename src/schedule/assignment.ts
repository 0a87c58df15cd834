/**
 * Divides leaves into contiguous shares, in the order of the workers. Adjacent leaves of the tree stay together, so that a
 * worker can sum them before sending. Workers without leaves get nothing.
 * @param partsOf how many leaves a worker computes at the same time. Each part of a worker gets as many leaves as the
 * next one, or one more; parts of one worker are one share.
 */
export function assignLeaves<Worker>(
  leaves: readonly number[],
  workers: readonly Worker[],
  partsOf: (worker: Worker) => number = () => 1,
): { worker: Worker; leaves: number[] }[] {
  const count = workers.reduce((sum, worker) => sum + partsOf(worker), 0);
  const larger = leaves.length % count;
  const size = Math.floor(leaves.length / count);
  const startOf = (part: number) => part * size + Math.min(part, larger);
  let before = 0;
  return workers
    .map((worker) => {
      const start = startOf(before);
      before += partsOf(worker);
      return { worker, leaves: leaves.slice(start, startOf(before)) };
    })
    .filter((assignment) => assignment.leaves.length > 0);
}
