import type { Console } from '../console/console.js';
import type { ProgressTask } from '../console/progress.js';
import { OutgoingWeights } from '../coordinator/dispatch/outgoing-weights.js';
import { CoordinatorError } from '../coordinator/error.js';
import { evaluateCodes } from '../coordinator/training/evaluation.js';
import { databaseCodesOfNetwork } from '../coordinator/training/network-codes.js';
import { isUnset, packCodes } from '../hashing/codes.js';
import { directoryOfRun } from '../inference/trained-run.js';
import { featureMethod, networkMakesDatabase } from '../methods/methods.js';
import { nearestClasses } from '../retrieval/confusions.js';
import type { RetrievalReport } from '../retrieval/evaluate.js';
import { nearestItems } from '../retrieval/nearest.js';
import { type ClassFigure, classFigures, countedNeighbours } from './class-figures.js';
import { type InspectionOptions, readAsInspected, withLocalWorkers } from './local-fleet.js';
import { openRecordedRun } from './recorded-run.js';

export interface EvaluateRunOptions extends InspectionOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
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
  const directory = directoryOfRun(options.runDirectory);
  const run = readAsInspected(directory, options);
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
  const lacks =
    featureMethod(spec.method) && state.hash === null
      ? `${spec.method} learned its hash function`
      : isUnset(state.codes) && !networkMakesDatabase(spec.method) && 'its first V-step';
  if (lacks) {
    throw new CoordinatorError(
      'COORDINATOR_NOTHING_TO_EVALUATE',
      `the newest checkpoint of ${options.runDirectory} was written before ${lacks}, so there are no codes to evaluate; --resume goes on`,
    );
  }
  return withLocalWorkers({ run, dataset, origin, what: 'evaluation', console }, async (surroundings) => {
    const { globalStep: step } = state.position;
    const weights = new OutgoingWeights(0, step, state.weights, spec.wire.precision);
    const contextOf = (split: string) => {
      return { ...surroundings, spec, dataset, term: 0, onProgress: shownProgress(console, split) };
    };
    // Those of the checkpoint may be of older weights.
    if (networkMakesDatabase(spec.method)) {
      state.codes = await databaseCodesOfNetwork(contextOf('database'), weights, null);
    }
    const { report, queryCodes } = await evaluateCodes(contextOf('queries'), weights, state, null, null);
    const [database, queries] = [dataset.train.labels, dataset.test.labels];
    const { bits } = spec;
    const classCount = dataset.classNames.length;
    const databaseCodes = packCodes(state.codes, bits);
    const nearest = await nearestItems(
      { queryCodes, databaseCodes, bits },
      countedNeighbours,
      surroundings.signal,
    );
    const shares = nearestClasses(nearest, queries, database, classCount);
    return { step, report, classes: classFigures(report.perClassAP, queries, shares, dataset.classNames) };
  });
}

/** Shows how many images of a split have their codes. */
function shownProgress(console: Console, split: string): (done: number, total: number) => void {
  let task: ProgressTask | null = null;
  return (done, total) => {
    task ??= console.startTask({ name: split, total, unit: 'images' });
    task.update(done);
    if (done === total) task.finish();
  };
}
