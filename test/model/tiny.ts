import { type CodeSummary, softRatio, summarizeCodes } from '../../src/hashing/similarity.js';
import { type Method, usesPositives } from '../../src/methods/methods.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import type { AdshInput, KnownLossInput } from '../../src/model/fcaenet.js';
import { describeNetwork, type NetworkLayout } from '../../src/model/layout.js';
import { goldenWeights, tinyTrunks } from '../golden/networks.js';
import { classSizes, gather, gatherCodes, ints, signs, values } from '../golden/support.js';

/** A network that takes milliseconds, and a database it learns. */
export const bits = 5;
export const tinyLayout: NetworkLayout = describeNetwork(tinyTrunks.tiny_mobile!, {
  bits,
  height: 12,
  width: 16,
});
export const tinyWeights = goldenWeights(tinyLayout, 'tiny');

export const databaseLabels = ints('tiny/labels', 30, 4);
export const databaseCodes = signs('tiny/V', [30, bits]);
export const databaseSummary: CodeSummary = summarizeCodes({
  codes: databaseCodes,
  labels: databaseLabels,
  bits,
  classCount: 4,
  ratio: softRatio(databaseLabels, classSizes(databaseLabels, 4)),
});

/** Random images of the tiny network's size. */
export function tinyImages(name: string, rows: number): Float32Array {
  return values(name, [rows, tinyLayout.height, tinyLayout.width, 3], 1);
}

/** A microbatch of the first `rows` database items. */
export function tinyInput(method: Method, rows: number): AdshInput {
  const items = Int32Array.from({ length: rows }, (_, row) => row);
  return {
    ...tinyMicrobatch(method, rows),
    ownCodes: gatherCodes(databaseCodes, bits, items),
    summary: databaseSummary,
    batchRows: rows,
    gamma: 200,
    alpha: 3,
    beta: 5,
  };
}

/** The same of a method whose loss is over pairs. */
export function tinyPairInput(method: Method, rows: number): KnownLossInput {
  return {
    ...tinyMicrobatch(method, rows),
    outputGradient: Float32Array.from(values('tiny/dz', [rows, bits], 0.1)),
  };
}

function tinyMicrobatch(method: Method, rows: number) {
  const items = Int32Array.from({ length: rows }, (_, row) => row);
  return {
    method,
    anchors: tinyImages('tiny/x', rows),
    positives: usesPositives(method) ? tinyImages('tiny/xp', rows) : null,
    labels: gather(databaseLabels, items),
    erasing: { regions: 6, size: 4 },
    batchNormalisation: usualBatchNormalisation,
  };
}
