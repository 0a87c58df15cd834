import { wordsPerCode } from '../hashing/codes.js';
import { averagePrecision, harmonicNumbers, precisionAt, tieAveragedPrecision } from './average-precision.js';
import { classMeans } from './class-means.js';
import { checkLength, RetrievalError } from './error.js';
import { forEachQuery } from './for-each-query.js';
import { HammingIndex } from './hamming-index.js';

/** Packed query and database codes of one code length, with their classes. */
export interface RetrievalInput {
  /** `[queries, wordsPerCode(bits)]` */
  readonly queryCodes: Uint32Array;
  /** `[queries]`; a class without database items is allowed */
  readonly queryLabels: Int32Array;
  /** `[n, wordsPerCode(bits)]` */
  readonly databaseCodes: Uint32Array;
  /** `[n]` */
  readonly databaseLabels: Int32Array;
  readonly bits: number;
  readonly classCount: number;
}

/** Figures of every query. */
export interface QueryFigures {
  /** Average precision with ties by database index `[queries]` */
  readonly averagePrecisions: Float64Array;
  /** Expected average precision under random order within ties `[queries]` */
  readonly tieAveraged: Float64Array;
  /** For each k asked for: relevant share of the first k `[queries]` */
  readonly precisionAt: readonly Float64Array[];
}

/** Means over all queries. Queries without relevant items count as 0. */
export interface RetrievalReport {
  readonly queries: number;
  readonly databaseSize: number;
  readonly mAP: number;
  readonly tieAveragedMAP: number;
  /** By k, as a string. */
  readonly precisionAt: Record<string, number>;
  /** mAP of each class's queries, NaN without queries `[classCount]` */
  readonly perClassAP: Float64Array;
}

/**
 * Evaluates retrieval by Hamming ranking of the whole database (method 1.9). The event loop runs between groups of
 * queries, so that a coordinator's heartbeats continue.
 * @param input.precisionAt numbers k of first ranks, each at least 1
 * @param signal stops between two groups of queries
 * @throws RetrievalError `RETRIEVAL_SHAPE`, `RETRIEVAL_EMPTY` without queries or items, `RETRIEVAL_PRECISION_AT`; the
 * signal's reason when aborted
 */
export async function evaluateRetrieval(
  input: RetrievalInput & { precisionAt: readonly number[] },
  signal?: AbortSignal,
): Promise<RetrievalReport> {
  const { queryLabels, databaseLabels, classCount } = input;
  const queries = queryLabels.length;
  if (queries === 0)
    throw new RetrievalError('RETRIEVAL_EMPTY', 'there are 0 queries, expected at least one');
  const figures = await queryFigures(input, signal);
  return {
    queries,
    databaseSize: databaseLabels.length,
    mAP: mean(figures.averagePrecisions),
    tieAveragedMAP: mean(figures.tieAveraged),
    precisionAt: Object.fromEntries(input.precisionAt.map((k, i) => [k, mean(figures.precisionAt[i]!)])),
    perClassAP: classMeans(figures.averagePrecisions, queryLabels, classCount),
  };
}

/** The figures of `evaluateRetrieval`, query by query. */
export async function queryFigures(
  input: RetrievalInput & { precisionAt: readonly number[] },
  signal?: AbortSignal,
): Promise<QueryFigures> {
  const { queryCodes, queryLabels, bits } = input;
  const queries = queryLabels.length;
  checkLength('a matrix of packed query codes', queryCodes.length, queries * wordsPerCode(bits));
  for (const k of input.precisionAt) {
    if (!Number.isInteger(k) || k < 1) {
      throw new RetrievalError(
        'RETRIEVAL_PRECISION_AT',
        `precision at ${k} is not defined, expected a k of at least 1`,
      );
    }
  }
  const database = { codes: input.databaseCodes, labels: input.databaseLabels };
  const index = new HammingIndex(database, bits, input.classCount);
  const harmonic = harmonicNumbers(index.size);
  const averagePrecisions = new Float64Array(queries);
  const tieAveraged = new Float64Array(queries);
  const precisions = input.precisionAt.map(() => new Float64Array(queries));
  await forEachQuery(queries, index.size, signal, (query) => {
    const ranked = index.rank(queryCodes, query, queryLabels[query]!);
    averagePrecisions[query] = averagePrecision(ranked);
    tieAveraged[query] = tieAveragedPrecision(ranked, harmonic);
    for (let i = 0; i < precisions.length; i++)
      precisions[i]![query] = precisionAt(ranked, input.precisionAt[i]!);
  });
  return { averagePrecisions, tieAveraged, precisionAt: precisions };
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
