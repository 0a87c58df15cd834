import { systemClock } from '../clock.js';
import type { Console } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import type { ProgressTask } from '../console/progress.js';
import { Fleet } from '../coordinator/admission/fleet.js';
import { OutgoingWeights } from '../coordinator/dispatch/outgoing-weights.js';
import { CoordinatorError } from '../coordinator/error.js';
import { Interruption } from '../coordinator/interruption.js';
import { evaluateCodes } from '../coordinator/training/evaluation.js';
import type { RetrievalReport } from '../retrieval/evaluate.js';
import { readTrainingRun } from '../run/read.js';
import { RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import { localWorkerCount } from '../schedule/worker-count.js';
import { makeJoinToken } from '../transport/join-token.js';
import { type ClassFigure, classFigures } from './class-figures.js';
import { openRecordedRun } from './recorded-run.js';

export interface EvaluateRunOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
  /** Undefined uses the run's. */
  readonly data: string | undefined;
  /** Undefined uses the run's. */
  readonly workers: number | undefined;
  readonly console: Console;
}

/**
 * Ranks the database codes of a run's newest checkpoint for every query. Changes nothing in the run.
 * @returns the checkpoint's step, the figures, and those of the classes, the worst first
 * @throws CoordinatorError COORDINATOR_NOTHING_TO_EVALUATE, and the errors of reading run, dataset and checkpoint
 */
export async function evaluateRun(
  options: EvaluateRunOptions,
): Promise<{ step: number; report: RetrievalReport; classes: ClassFigure[] }> {
  const { console } = options;
  const directory = RunDirectory.at(options.runDirectory);
  const run = readAsEvaluated(directory, options);
  const { spec } = run;
  const { dataset, checkpoints } = await openRecordedRun(directory, run, console.log);
  const restored = await checkpoints.restore(null);
  if (!restored) {
    throw new CoordinatorError(
      'COORDINATOR_NOTHING_TO_EVALUATE',
      `${options.runDirectory} has no checkpoint yet, so there are no codes to evaluate`,
    );
  }
  const { state, origin } = restored;
  const interruption = new Interruption();
  const restoreSignals = onInterrupt(() =>
    interruption.interrupt(
      new CoordinatorError('COORDINATOR_INTERRUPTED', 'the evaluation was interrupted; nothing was changed'),
    ),
  );
  const admission = {
    run,
    term: 0,
    datasetFingerprint: dataset.fingerprint,
    classCount: dataset.classNames.length,
    ...origin,
  };
  const fleet = new Fleet({
    admission,
    protection: { tls: null, joinToken: makeJoinToken() },
    localWorkers: localWorkerCount(run),
    minWorkers: 1,
    log: console.log,
    onIdentity: () => {},
    onExhausted: (error) => interruption.interrupt(error),
  });
  let task: ProgressTask | null = null;
  const onProgress = (done: number, total: number) => {
    task ??= console.startTask({ name: 'queries', total, unit: 'images' });
    task.update(done);
    if (done === total) task.finish();
  };
  try {
    await fleet.open();
    const { globalStep: step } = state.position;
    const weights = new OutgoingWeights(0, step, state.weights);
    const context = {
      pool: fleet.pool,
      clock: systemClock,
      // What happens to single batches is of no interest here.
      notify: () => {},
      onLateContradiction: (error: CoordinatorError) => interruption.interrupt(error),
      spec,
      dataset,
      term: 0,
      signal: interruption.signal,
      onProgress,
    };
    const report = await evaluateCodes(context, weights, state.codes, null, null);
    return { step, report, classes: classFigures(report.perClassAP, dataset.classNames) };
  } finally {
    await fleet.close({ reason: 'the evaluation is over' });
    restoreSignals();
  }
}

/** The run of its directory, on a free port, with the command line's changes. */
function readAsEvaluated(directory: RunDirectory, { data, workers }: EvaluateRunOptions): TrainingRun {
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
