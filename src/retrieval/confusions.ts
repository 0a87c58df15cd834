import type { NearestItems } from './nearest.js';

/** Another class among the nearest items of a class's queries. */
export interface Confusion {
  /** The other class. */
  readonly label: number;
  /** Its share of all nearest items of the class's queries. */
  readonly share: number;
}

/**
 * Finds which classes the nearest items of each class's queries belong to.
 * @param queryLabels `[queries]`; labels outside 0..classCount-1 are ignored
 * @param databaseLabels `[n]`
 * @returns for each class the share of every class that occurs, the most frequent first, equal shares by label, its own
 * class included; empty for a class without queries
 */
export function nearestClasses(
  { count, rows }: NearestItems,
  queryLabels: Int32Array,
  databaseLabels: Int32Array,
  classCount: number,
): Confusion[][] {
  const found = Array.from({ length: classCount }, () => new Map<number, number>());
  const total = new Int32Array(classCount);
  queryLabels.forEach((own, query) => {
    const counts = found[own];
    if (counts === undefined) return;
    for (const row of rows.subarray(query * count, (query + 1) * count)) {
      const label = databaseLabels[row]!;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    total[own]! += count;
  });
  return found.map((counts, own) =>
    [...counts]
      .map(([label, times]) => ({ label, share: times / total[own]! }))
      .sort((left, right) => right.share - left.share || left.label - right.label),
  );
}
