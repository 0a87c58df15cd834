import { wordsPerCode } from '../hashing/codes.js';
import type { RetrievalInput } from './evaluate.js';
import { forEachQuery } from './for-each-query.js';
import { NearestIndex } from './nearest-index.js';

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
 * @throws RetrievalError as `NearestIndex`; the signal's reason when aborted
 */
export async function nearestItems(
  { queryCodes, databaseCodes, bits }: Pick<RetrievalInput, 'queryCodes' | 'databaseCodes' | 'bits'>,
  most: number,
  signal?: AbortSignal,
): Promise<NearestItems> {
  const words = wordsPerCode(bits);
  const index = new NearestIndex(databaseCodes, databaseCodes.length / words, bits);
  const count = Math.min(most, index.size);
  const queries = queryCodes.length / words;
  const rows = new Int32Array(queries * count);
  await forEachQuery(queries, index.size, signal, (query) => {
    rows.set(index.nearest(queryCodes, query, count).rows, query * count);
  });
  return { count, rows };
}
