/**
 * Cuts leaves into one contiguous share for each worker, in order, sizes differing by at most one: neighbours in
 * the tree stay together, so that a worker can sum them before it sends. Workers beyond the leaves get nothing.
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
