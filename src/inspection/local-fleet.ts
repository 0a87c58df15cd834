import { systemClock } from '../clock.js';
import type { Console } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { Fleet } from '../coordinator/admission/fleet.js';
import type { RunOrigin } from '../coordinator/checkpoints/run-checkpoints.js';
import type { WorkSurroundings } from '../coordinator/dispatch/work-surroundings.js';
import { CoordinatorError } from '../coordinator/error.js';
import { Interruption } from '../coordinator/interruption.js';
import type { Dataset } from '../data/dataset.js';
import type { Identity } from '../identity/identity.js';
import { chooseWorkerPlaces } from '../processes/plan.js';
import { readTrainingRun } from '../run/read.js';
import type { RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { makeJoinToken } from '../transport/join-token.js';

/** What is changed of a run that is inspected here. */
export interface InspectionOptions {
  /** The dataset's folder; undefined takes the run's. */
  readonly data: string | undefined;
  /** Undefined takes the run's. */
  readonly workers: number | undefined;
}

/** The run as its directory has it, on a free port, with what the command line changes. */
export function readAsInspected(directory: RunDirectory, { data, workers }: InspectionOptions): TrainingRun {
  const run = readTrainingRun(directory.runFile);
  const { spec } = run;
  const operation = {
    ...spec.operation,
    listen: '127.0.0.1:0',
    tls: null,
    workers: workers ?? spec.operation.workers,
  };
  return {
    ...run,
    spec: { ...spec, dataset: { ...spec.dataset, path: data ?? spec.dataset.path }, operation },
  };
}

/**
 * Has `body` compute on workers of this machine, and sends them home afterwards.
 * @param options.origin what the workers must be like
 * @param options.what it is for, as a noun: `evaluation`
 * @throws CoordinatorError COORDINATOR_INTERRUPTED on a signal, and what `body` throws
 */
export async function withLocalWorkers<Value>(
  options: {
    readonly run: TrainingRun;
    readonly dataset: Dataset;
    readonly origin: RunOrigin;
    readonly what: string;
    readonly console: Console;
    readonly onIdentity?: (identity: Identity) => void;
  },
  body: (surroundings: WorkSurroundings) => Promise<Value>,
): Promise<Value> {
  const { run, dataset, origin, what, console, onIdentity } = options;
  const localWorkers = await chooseWorkerPlaces(run, console.log);
  const interruption = new Interruption();
  const restoreSignals = onInterrupt(() =>
    interruption.interrupt(
      new CoordinatorError('COORDINATOR_INTERRUPTED', `the ${what} was interrupted; nothing was changed`),
    ),
  );
  const fleet = new Fleet({
    admission: {
      run,
      term: 0,
      datasetFingerprint: dataset.fingerprint,
      classCount: dataset.classNames.length,
      ...origin,
    },
    protection: { tls: null, joinToken: makeJoinToken() },
    localWorkers,
    minWorkers: 1,
    log: console.log,
    onIdentity: (identity) => onIdentity?.(identity),
    onExhausted: (error) => interruption.interrupt(error),
  });
  try {
    await fleet.open();
    return await body({
      pool: fleet.pool,
      clock: systemClock,
      // What happens to single pieces of work is of no interest to those who inspect a run.
      notify: () => {},
      onLateContradiction: (error) => interruption.interrupt(error),
      signal: interruption.signal,
    });
  } finally {
    await fleet.close({ reason: `the ${what} is over` });
    restoreSignals();
  }
}
