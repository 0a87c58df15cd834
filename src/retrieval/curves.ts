import { averagePrecision, precisionAt } from './average-precision.js';
import type { RetrievalInput } from './evaluate.js';
import { forEachQuery } from './for-each-query.js';
import { HammingIndex } from './hamming-index.js';

/** Levels of recall at which precision is measured: 1 % to 100 %. */
export const recallLevels = 100;

/** Curves of a ranking, averaged over all queries, in the order that the mean average precision uses. */
export interface RankingCurves {
  /** Of every query `[queries]` */
  readonly averagePrecisions: Float64Array;
  /**
   * Precision at the rank where a query has found ⌈level · R⌉ of its R relevant items, for levels 1 / 100 to 1
   * `[recallLevels]`. A query without relevant items counts as 0.
   */
  readonly precisionAtRecall: Float64Array;
  /** Ranks of `precisionAtRank`, ascending, from 1 to a thousand or the size of the database */
  readonly ranks: readonly number[];
  /** `[ranks]` */
  readonly precisionAtRank: Float64Array;
  /** Pairs of a query and a database item of its class, by distance `[bits + 1]` */
  readonly sameClassPairs: Float64Array;
  /** Pairs of different classes, by distance `[bits + 1]` */
  readonly otherClassPairs: Float64Array;
}

/**
 * Measures the curves of a ranking.
 * @param signal stops between two groups of queries
 * @throws RetrievalError `RETRIEVAL_SHAPE`, or `RETRIEVAL_EMPTY` without database items; the signal's reason when aborted
 */
export async function rankingCurves(
  { queryCodes, queryLabels, databaseCodes, databaseLabels, bits, classCount }: RetrievalInput,
  signal?: AbortSignal,
): Promise<RankingCurves> {
  const index = new HammingIndex({ codes: databaseCodes, labels: databaseLabels }, bits, classCount);
  const queries = queryLabels.length;
  const ranks = curveRanks(index.size);
  const averagePrecisions = new Float64Array(queries);
  const precisionAtRecall = new Float64Array(recallLevels);
  const precisionAtRank = new Float64Array(ranks.length);
  const sameClassPairs = new Float64Array(bits + 1);
  const otherClassPairs = new Float64Array(bits + 1);
  await forEachQuery(queries, index.size, signal, (query) => {
    const ranked = index.rank(queryCodes, query, queryLabels[query]!);
    averagePrecisions[query] = averagePrecision(ranked);
    ranks.forEach((rank, at) => {
      precisionAtRank[at]! += precisionAt(ranked, rank) / queries;
    });
    for (let level = 1; level <= recallLevels && ranked.relevantCount > 0; level++) {
      const found = Math.ceil((level * ranked.relevantCount) / recallLevels);
      precisionAtRecall[level - 1]! += found / ranked.ranks[found - 1]! / queries;
    }
    for (let distance = 0; distance <= bits; distance++) {
      const relevant = ranked.relevantCounts[distance]!;
      sameClassPairs[distance]! += relevant;
      otherClassPairs[distance]! += ranked.counts[distance]! - relevant;
    }
  });
  return { averagePrecisions, precisionAtRecall, ranks, precisionAtRank, sameClassPairs, otherClassPairs };
}

/** 1 to 10, then ranks that grow by an eighth, up to a thousand and the size of the database. */
function curveRanks(size: number): number[] {
  const most = Math.min(size, 1000);
  const ranks: number[] = [];
  for (let rank = 1; rank < most; rank = rank < 10 ? rank + 1 : Math.round(rank * 1.125)) ranks.push(rank);
  return [...ranks, most];
}
