/** Runs `work` for every index with limited parallelism. Throws the first failure. */
export async function inParallel(
  lanes: number,
  indices: Iterable<number>,
  work: (index: number) => Promise<void>,
): Promise<void> {
  const rest = indices[Symbol.iterator]();
  const lane = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
