import { expect, test } from 'vitest';
import { packCodes } from '../../src/hashing/codes.js';
import { evaluateRetrieval, queryFigures } from '../../src/retrieval/evaluate.js';
import { HammingIndex } from '../../src/retrieval/hamming-index.js';
import { codesFromStrings, ints, readGolden, relativeError, signs } from './support.js';

interface MapGolden {
  cases: {
    prefix: string;
    queries: number;
    n: number;
    c: number;
    K: number;
    query_labels: number[];
    database_labels: number[];
    query_codes: string[];
    database_codes: string[];
    ranking_of_query_0: number[];
    average_precision: number[];
    mAP: number;
    precision_at: Record<string, number>;
  }[];
}

test.each(readGolden<MapGolden>('map').cases)(
  '$prefix: ranking and mean average precision',
  async (golden) => {
    const { prefix, queries, n, c, K } = golden;
    const queryLabels = ints(`${prefix}/query_labels`, queries, K);
    queryLabels[queries - 1] = K;
    const databaseLabels = ints(`${prefix}/database_labels`, n, K);
    const query = signs(`${prefix}/query`, [queries, c]);
    const database = signs(`${prefix}/database`, [n, c]);
    expect([...queryLabels]).toEqual(golden.query_labels);
    expect([...databaseLabels]).toEqual(golden.database_labels);
    expect(query).toEqual(codesFromStrings(golden.query_codes));
    expect(database).toEqual(codesFromStrings(golden.database_codes));

    const queryCodes = packCodes(query, c);
    const databaseCodes = packCodes(database, c);
    const index = new HammingIndex({ codes: databaseCodes, labels: databaseLabels }, c, K);
    expect([...index.ranking(queryCodes, 0)]).toEqual(golden.ranking_of_query_0);

    const places = Object.keys(golden.precision_at).map(Number);
    const input = {
      queryCodes,
      queryLabels,
      databaseCodes,
      databaseLabels,
      bits: c,
      classCount: K,
      precisionAt: places,
    };
    const { averagePrecisions } = await queryFigures(input);
    expect(relativeError(averagePrecisions, golden.average_precision)).toBeLessThan(1e-8);
    const report = await evaluateRetrieval(input);
    expect(report).toMatchObject({ queries, databaseSize: n });
    expect(relativeError([report.mAP], [golden.mAP])).toBeLessThan(1e-8);
    expect(Object.keys(report.precisionAt)).toEqual(Object.keys(golden.precision_at));
    expect(relativeError(Object.values(report.precisionAt), Object.values(golden.precision_at))).toBeLessThan(
      1e-8,
    );
  },
);
