import type { Log } from '../console/log.js';
import { codesSha256, readResult, weightsSha256 } from '../coordinator/training/result.js';
import { directoryOfRun } from '../inference/trained-run.js';
import { LedgerError } from '../ledger/error.js';
import { readLedger } from '../ledger/reader.js';
import { checkDatasetFit } from '../run/dataset-fit.js';
import { runSampler } from '../schedule/run-sampler.js';
import { readAsInspected } from './local-fleet.js';
import { proveSamples } from './prove.js';
import { openRecordedRun } from './recorded-run.js';

/** What a successful audit has proved. */
export interface AuditSummary {
  readonly run: string;
  readonly iterations: number;
  readonly epochs: number;
  readonly steps: number;
  /** Anchors of an epoch, each used once; 0 when the run has no epochs. */
  readonly samples: number;
  /** Leadership terms in which steps of the run were done. */
  readonly terms: number[];
  /** The chain's last hash, which is also in the final checkpoint. */
  readonly ledger: string;
  readonly weightsSha256: string;
  readonly codesSha256: string;
}

/**
 * Proves from a run's directory and its dataset that the run is complete and used every sample exactly once per epoch,
 * and that ledger, final checkpoint and result belong together. Changes nothing.
 * @param data the dataset's folder; undefined uses the run's
 * @throws LedgerError for the first fault, and the errors of reading run, dataset and checkpoint
 */
export async function auditRun(options: {
  readonly runDirectory: string;
  readonly data: string | undefined;
  readonly log: Log;
}): Promise<AuditSummary> {
  const directory = directoryOfRun(options.runDirectory);
  const run = readAsInspected(directory, { data: options.data, workers: undefined });
  const { spec } = run;
  const { dataset, checkpoints } = await openRecordedRun(directory, run, options.log);
  checkDatasetFit(run, { format: dataset.format, trainCount: dataset.train.labels.length });
  const [ledgerFile] = directory.ledgerFiles();
  if (ledgerFile === undefined) {
    throw new LedgerError('LEDGER_MISSING', `there is no ledger in ${options.runDirectory}`);
  }
  const { steps, hashes } = await readLedger(ledgerFile, checkpoints.ledgerHeader);
  proveSamples(spec, runSampler(spec, dataset), steps);
  const restored = await checkpoints.restore(null);
  const { iterations, epochs } = spec.schedule;
  const iteration = restored?.state.position.iteration ?? 0;
  if (!restored || iteration < iterations) {
    throw new LedgerError(
      'LEDGER_UNFINISHED',
      `the newest checkpoint has ${iteration} of the run's ${iterations} iterations`,
    );
  }
  const ledger = hashes.at(-1)!;
  if (restored.ledger.hash !== ledger || restored.ledger.steps !== steps.length) {
    throw new LedgerError(
      'LEDGER_MISMATCH',
      `the ledger ends with hash ${ledger} after step ${steps.length}, but the final checkpoint was written at ${restored.ledger.hash} after step ${restored.ledger.steps}`,
    );
  }
  const result = readResult(directory);
  if (!result) throw new LedgerError('LEDGER_UNFINISHED', `${options.runDirectory} has no result yet`);
  const found = {
    weightsSha256: weightsSha256(restored.state),
    codesSha256: codesSha256(restored.state, spec.bits),
  };
  for (const field of ['weightsSha256', 'codesSha256'] as const) {
    if (result[field] === found[field]) continue;
    throw new LedgerError(
      'LEDGER_MISMATCH',
      `the result has ${field} ${result[field]}, but the final checkpoint has ${found[field]}`,
    );
  }
  return {
    run: run.metadata.name,
    iterations,
    epochs,
    steps: steps.length,
    samples: epochs > 0 ? spec.dataset.sampleSize : 0,
    terms: [...new Set(steps.map(({ term }) => term))],
    ledger,
    ...found,
  };
}
