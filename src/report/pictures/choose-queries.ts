/**
 * Chooses queries from the best to the worst average precision, at equal distances among the sorted queries. Equal
 * precisions are in the order of the queries. A class is taken twice only if there are fewer classes than queries to
 * choose.
 * @param averagePrecisions `[queries]`
 * @param labels `[queries]`
 * @returns positions of queries, the best first
 */
export function chooseQueries(
  averagePrecisions: Float64Array,
  labels: readonly number[],
  count: number,
): number[] {
  const order = [...averagePrecisions.keys()].sort(
    (left, right) => averagePrecisions[right]! - averagePrecisions[left]! || left - right,
  );
  const wanted = Math.min(count, order.length);
  const repeats = new Set(labels).size < wanted;
  const chosen: number[] = [];
  const seen = new Set<number>();
  for (let place = 0; place < wanted; place++) {
    const start = wanted === 1 ? 0 : Math.round((place * (order.length - 1)) / (wanted - 1));
    const query = nearestTo(
      start,
      order,
      (each) => !chosen.includes(each) && (repeats || !seen.has(labels[each]!)),
    );
    chosen.push(query);
    seen.add(labels[query]!);
  }
  return chosen.sort((left, right) => order.indexOf(left) - order.indexOf(right));
}

/** The query at a place of the order, or at the closest place where one is allowed. */
function nearestTo(start: number, order: readonly number[], isAllowed: (query: number) => boolean): number {
  for (let away = 0; away < order.length; away++) {
    for (const place of [start - away, start + away]) {
      const query = order[place];
      if (query !== undefined && isAllowed(query)) return query;
    }
  }
  return order[start]!;
}
