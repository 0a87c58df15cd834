import type { Dataset } from '../data/dataset.js';
import { KeyedRandom, Purpose } from '../data/random.js';
import { packCodes, wordsPerCode } from '../hashing/codes.js';
import { evaluateRetrieval, type RetrievalReport } from '../retrieval/evaluate.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { type EncodeJob, encodeBatches, runEncodeJob } from './encode-job.js';
import type { WorkerPool } from './pool.js';
import type { OutgoingWeights } from './snapshot.js';
import { verifiedBatches } from './verified-leaves.js';

/** What the evaluations of a run share. */
export interface EvaluationContext {
  readonly pool: WorkerPool;
  readonly spec: TrainingRunSpec;
  readonly dataset: Dataset;
  readonly term: number;
  readonly signal: AbortSignal;
  /** Images encoded so far of how many. */
  readonly onProgress: (done: number, total: number) => void;
  readonly onCompared: EncodeJob['onCompared'];
}

/**
 * Encodes queries on the workers with the given weights and ranks the database codes for each.
 * @param codes V `[n, bits]`
 * @param iteration from 0: chooses what is encoded twice; null encodes nothing twice
 * @param maxQueries queries to use, chosen by key; null is all
 */
export async function evaluateCodes(
  context: EvaluationContext,
  weights: OutgoingWeights,
  codes: Int8Array,
  iteration: number | null,
  maxQueries: number | null,
): Promise<RetrievalReport> {
  const { spec, dataset, pool, term, signal, onProgress, onCompared } = context;
  const { bits } = spec;
  const queries = chooseQueries(spec.seed, dataset.test.labels.length, maxQueries);
  const bytes = await runEncodeJob(
    pool,
    {
      term,
      output: 'CODES',
      split: 'TEST',
      images: queries,
      bytesPerImage: 4 * wordsPerCode(bits),
      weights,
      verified: iteration === null ? [] : verifiedBatches(spec, iteration, 1, encodeBatches(queries.length)),
      strict: spec.operation.exactness === 'strict',
      onCompared,
    },
    (done) => onProgress(done, queries.length),
    signal,
  );
  return evaluateRetrieval(
    {
      queryCodes: new Uint32Array(bytes.buffer),
      queryLabels: Int32Array.from(queries, (query) => dataset.test.labels[query]!),
      databaseCodes: packCodes(codes, bits),
      databaseLabels: dataset.train.labels,
      bits,
      classCount: dataset.classNames.length,
      precisionAt: spec.operation.evaluation.precisionAt,
    },
    signal,
  );
}

function chooseQueries(seed: number, count: number, maxQueries: number | null): Uint32Array {
  if (maxQueries === null || maxQueries >= count) return Uint32Array.from({ length: count }, (_, i) => i);
  const chosen = new KeyedRandom(seed).permutation(count, maxQueries, Purpose.evaluation, 0, 0);
  return Uint32Array.from(chosen).sort();
}
