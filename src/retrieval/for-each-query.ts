import { setImmediate } from 'node:timers/promises';

/** Pairs of a query and an item that are compared before other work of the process gets its turn: some 30 ms. */
const pairsPerTurn = 2 ** 25;

/**
 * Calls `visit` with the number of each query, in order. The event loop runs between groups of queries.
 * @param items of the database, with each of which a query is compared
 * @param signal stops between two groups; rejects with its reason
 */
export async function forEachQuery(
  queries: number,
  items: number,
  signal: AbortSignal | undefined,
  visit: (query: number) => void,
): Promise<void> {
  const queriesPerTurn = Math.ceil(pairsPerTurn / items);
  for (let query = 0; query < queries; query++) {
    if (query > 0 && query % queriesPerTurn === 0) {
      await setImmediate();
      signal?.throwIfAborted();
    }
    visit(query);
  }
}
