/**
 * Divides leaves into one contiguous share for each worker, in order. Sizes differ by at most one. Adjacent leaves of
 * the tree stay together, so that a worker can sum them before sending. Workers without leaves get nothing.
 */
export function assignLeaves<Worker>(
  leaves: readonly number[],
  workers: readonly Worker[],
): { worker: Worker; leaves: number[] }[] {
  const count = workers.length;
  const larger = leaves.length % count;
  const size = Math.floor(leaves.length / count);
  let start = 0;
  return workers
    .map((worker, i) => {
      const end = start + size + (i < larger ? 1 : 0);
      const share = leaves.slice(start, end);
      start = end;
      return { worker, leaves: share };
    })
    .filter((assignment) => assignment.leaves.length > 0);
}
