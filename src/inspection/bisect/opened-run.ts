import type { Log } from '../../console/log.js';
import type { RunCheckpoints } from '../../coordinator/checkpoints/run-checkpoints.js';
import type { Dataset } from '../../data/dataset.js';
import type { Identity } from '../../identity/identity.js';
import { directoryOfRun } from '../../inference/trained-run.js';
import type { LedgerStep } from '../../ledger/entry.js';
import { readLedger } from '../../ledger/reader.js';
import { describeRunModel, type ModelLayout } from '../../model/layout.js';
import { checkDatasetFit } from '../../run/dataset-fit.js';
import type { TrainingRun } from '../../run/training-run.js';
import { type InspectionOptions, readAsInspected } from '../local-fleet.js';
import { openRecordedRun } from '../recorded-run.js';

/** A recorded run, with everything that is needed to compute one of its steps again. */
export interface OpenedRun {
  readonly run: TrainingRun;
  readonly dataset: Dataset;
  readonly layout: ModelLayout;
  readonly checkpoints: RunCheckpoints;
  /** Paths of the ledgers, the highest term first. */
  readonly ledgers: readonly string[];
  /** Steps of the ledger, up to the opened step. */
  readonly steps: readonly LedgerStep[];
  /** Numerical identity of the workers that computed the run; null when no checkpoint has it. */
  readonly identity: Identity | null;
}

/**
 * Opens a run's directory for reading, with its ledger up to a step.
 * @param globalStep counted from 0; the ledger must contain it
 * @throws what reading run, dataset, ledger and checkpoints throws
 */
export async function openRun(
  path: string,
  globalStep: number,
  options: InspectionOptions & { readonly log: Log },
): Promise<OpenedRun> {
  const directory = directoryOfRun(path);
  const run = readAsInspected(directory, options);
  const { dataset, checkpoints } = await openRecordedRun(directory, run, options.log);
  checkDatasetFit(run, { format: dataset.format, trainCount: dataset.train.labels.length });
  const ledgers = directory.ledgerFiles();
  const { steps } = await readLedger(ledgers[0]!, checkpoints.ledgerHeader, globalStep + 1);
  const newest = await checkpoints.restore(null);
  return {
    run,
    dataset,
    layout: describeRunModel(run.spec),
    checkpoints,
    ledgers,
    steps,
    identity: newest?.origin.identity ?? null,
  };
}
