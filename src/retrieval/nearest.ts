import { setImmediate } from 'node:timers/promises';
import type { RetrievalInput } from './evaluate.js';
import { HammingIndex } from './hamming-index.js';

/** Pairs that are ordered before other work of the process gets its turn: some 30 ms. */
const pairsPerTurn = 2 ** 23;

/** The nearest database items of each query. */
export interface NearestItems {
  /** Items of a query: as many as asked for, or the whole database if that is smaller. */
  readonly count: number;
  /** Rows of the database by distance, ties by row, as the mean average precision ranks them `[queries, count]` */
  readonly rows: Int32Array;
}

/**
 * Finds the nearest database items of every query.
 * @param most items of a query, at least 1
 * @param signal stops between two groups of queries
 * @throws RetrievalError as `evaluateRetrieval`; the signal's reason when aborted
 */
export async function nearestItems(
  { queryCodes, queryLabels, databaseCodes, databaseLabels, bits, classCount }: RetrievalInput,
  most: number,
  signal?: AbortSignal,
): Promise<NearestItems> {
  const index = new HammingIndex({ codes: databaseCodes, labels: databaseLabels }, bits, classCount);
  const count = Math.min(most, index.size);
  const queries = queryLabels.length;
  const rows = new Int32Array(queries * count);
  const queriesPerTurn = Math.ceil(pairsPerTurn / index.size);
  for (let query = 0; query < queries; query++) {
    if (query > 0 && query % queriesPerTurn === 0) {
      await setImmediate();
      signal?.throwIfAborted();
    }
    rows.set(index.ranking(queryCodes, query).subarray(0, count), query * count);
  }
  return { count, rows };
}
