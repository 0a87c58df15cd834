import { KeyedRandom, Purpose } from '../../data/random.js';
import { packCodes } from '../../hashing/codes.js';
import { evaluateRetrieval, type RetrievalReport } from '../../retrieval/evaluate.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import { codeMakingOf } from './code-making-of.js';
import type { EvaluationContext } from './encode-on-workers.js';
import type { RunState } from './run-state.js';

export interface EvaluatedCodes {
  readonly report: RetrievalReport;
  /** `[queries, wordsPerCode(bits)]` */
  readonly queryCodes: Uint32Array;
}

/**
 * Encodes queries on the workers with the given weights and ranks the database codes for each.
 * @param state the database codes, and the hash function that made them
 * @param iteration from 0; selects the batches that are encoded twice; null encodes nothing twice
 * @param maxQueries number of queries, selected by key; null uses all
 */
export async function evaluateCodes(
  context: EvaluationContext,
  weights: OutgoingWeights,
  state: Pick<RunState, 'codes' | 'hash'>,
  iteration: number | null,
  maxQueries: number | null,
): Promise<EvaluatedCodes> {
  const { spec, dataset, signal } = context;
  const { bits } = spec;
  const queries = chooseQueries(spec.seed, dataset.test.labels.length, maxQueries);
  const verification = iteration === null ? null : { iteration, phase: 1 };
  const queryCodes = await codeMakingOf(spec.method).queryCodes(
    context,
    weights,
    state.hash,
    queries,
    verification,
  );
  const report = await evaluateRetrieval(
    {
      queryCodes,
      queryLabels: Int32Array.from(queries, (query) => dataset.test.labels[query]!),
      databaseCodes: packCodes(state.codes, bits),
      databaseLabels: dataset.train.labels,
      bits,
      classCount: dataset.classNames.length,
      precisionAt: spec.operation.evaluation.precisionAt,
    },
    signal,
  );
  return { report, queryCodes };
}

function chooseQueries(seed: number, count: number, maxQueries: number | null): Uint32Array {
  if (maxQueries === null || maxQueries >= count) return Uint32Array.from({ length: count }, (_, i) => i);
  const chosen = new KeyedRandom(seed).permutation(count, maxQueries, Purpose.evaluation, 0, 0);
  return Uint32Array.from(chosen).sort();
}
