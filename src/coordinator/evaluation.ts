import type { Dataset } from '../data/dataset.js';
import { KeyedRandom, Purpose } from '../data/random.js';
import { packCodes, wordsPerCode } from '../hashing/codes.js';
import { evaluateRetrieval, type RetrievalResult } from '../retrieval/evaluate.js';
import { histogramBins, histogramRetrieval } from '../retrieval/histogram.js';
import { randomProjectionCodes } from '../retrieval/random-projection.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { type EncodeJob, runEncodeJob } from './encode-job.js';
import type { Snapshot } from './gradient-step.js';
import type { WorkerPool } from './pool.js';
import type { UntrainedFigures } from './run-state.js';

/** What the evaluations of a run share. */
export interface EvaluationContext {
  readonly pool: WorkerPool;
  readonly spec: TrainingRunSpec;
  readonly dataset: Dataset;
  readonly term: number;
  readonly signal: AbortSignal;
  /** Images encoded so far of how many. */
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Encodes queries on the workers with the given weights and ranks the database codes for each.
 * @param codes V `[n, bits]`
 * @param maxQueries queries to use, chosen by key; null is all
 */
export async function evaluateCodes(
  context: EvaluationContext,
  snapshot: Snapshot,
  codes: Int8Array,
  maxQueries: number | null,
): Promise<RetrievalResult> {
  const { spec, dataset } = context;
  const { bits } = spec;
  const queries = chooseQueries(spec.seed, dataset.test.labels.length, maxQueries);
  const bytes = await encode(context, snapshot, 'CODES', 'TEST', queries, 4 * wordsPerCode(bits));
  return evaluateRetrieval({
    queryCodes: new Uint32Array(bytes.buffer),
    queryLabels: Int32Array.from(queries, (query) => dataset.test.labels[query]!),
    databaseCodes: packCodes(codes, bits),
    databaseLabels: dataset.train.labels,
    bits,
    classCount: dataset.classNames.length,
    precisionAt: [...spec.operation.evaluation.precisionAt],
  });
}

/** mAP of what needs no training: colour histograms, and signs of random projections of the first features. */
export async function measureUntrained(
  context: EvaluationContext,
  snapshot: Snapshot,
  featureWidth: number,
): Promise<UntrainedFigures> {
  const { spec, dataset } = context;
  const { bits } = spec;
  const classCount = dataset.classNames.length;
  const floats = async (output: 'FEATURES' | 'COLOR_HISTOGRAM', split: 'TRAIN' | 'TEST', width: number) => {
    const count = dataset[split === 'TRAIN' ? 'train' : 'test'].labels.length;
    const bytes = await encode(context, snapshot, output, split, all(count), 4 * width);
    return new Float32Array(bytes.buffer as ArrayBuffer);
  };
  const labels = { queryLabels: dataset.test.labels, databaseLabels: dataset.train.labels, classCount };
  const colorHistogram = histogramRetrieval({
    queries: await floats('COLOR_HISTOGRAM', 'TEST', histogramBins),
    database: await floats('COLOR_HISTOGRAM', 'TRAIN', histogramBins),
    ...labels,
  });
  const projected = randomProjectionCodes({
    queries: await floats('FEATURES', 'TEST', featureWidth),
    database: await floats('FEATURES', 'TRAIN', featureWidth),
    width: featureWidth,
    bits,
    random: new KeyedRandom(spec.seed),
  });
  const { mAP } = evaluateRetrieval({ ...projected, ...labels, bits, precisionAt: [] });
  return { colorHistogram, randomProjection: mAP };
}

function encode(
  context: EvaluationContext,
  snapshot: Snapshot,
  output: EncodeJob['output'],
  split: EncodeJob['split'],
  images: Uint32Array,
  bytesPerImage: number,
): Promise<Uint8Array> {
  const { pool, term, signal, onProgress } = context;
  const job: EncodeJob = { term, output, split, images, bytesPerImage, snapshot };
  return runEncodeJob(pool, job, (done) => onProgress(done, images.length), signal);
}

function all(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

function chooseQueries(seed: number, count: number, maxQueries: number | null): Uint32Array {
  if (maxQueries === null || maxQueries >= count) return all(count);
  const chosen = new KeyedRandom(seed).permutation(count, maxQueries, Purpose.evaluation, 0, 0);
  return Uint32Array.from(chosen).sort();
}
