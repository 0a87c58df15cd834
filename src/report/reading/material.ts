import { CheckpointStore } from '../../checkpoint/store.js';
import { systemClock } from '../../clock.js';
import type { Console } from '../../console/console.js';
import { lateProgress } from '../../console/late-progress.js';
import { type RestoredRun, RunCheckpoints } from '../../coordinator/checkpoints/run-checkpoints.js';
import { OutgoingWeights } from '../../coordinator/dispatch/outgoing-weights.js';
import { readersFence } from '../../coordinator/leadership/leadership.js';
import { evaluateCodes } from '../../coordinator/training/evaluation.js';
import type { RunState } from '../../coordinator/training/run-state.js';
import { digestMemory } from '../../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../../data/dataset.js';
import { DatasetError } from '../../data/error.js';
import { type PictureList, pictureListOf, readPictureList } from '../../data/picture-list.js';
import { unpackCodes } from '../../hashing/codes.js';
import { readAsInspected, withLocalWorkers } from '../../inspection/local-fleet.js';
import { type RunContent, readRunContent } from '../../inspection/runs/describe-run.js';
import { describeModel, type ModelLayout } from '../../model/layout.js';
import { RunDirectory } from '../../run/run-directory.js';
import type { TrainingRun } from '../../run/training-run.js';
import type { RunEvent } from '../../transport/events/run-event.js';
import { readEvents } from '../../transport/events/run-events.js';
import { ReportError } from '../error.js';

/** Everything that a report says of a run, as its directory has it. */
export interface RunMaterial {
  /** The run's name. */
  readonly name: string;
  /** With the dataset's folder to use. */
  readonly run: TrainingRun;
  readonly content: RunContent;
  readonly layout: ModelLayout;
  readonly checkpoint: {
    readonly name: string;
    /** Optimiser steps before it. */
    readonly step: number;
    /** Finished iterations. */
    readonly iteration: number;
    readonly isBest: boolean;
  };
  readonly state: RunState;
  /** ±1 `[queries, bits]` */
  readonly queryCodes: Int8Array;
  readonly pictures: PictureList;
  readonly events: readonly RunEvent[];
}

/**
 * Reads a run's directory without changing it, with the best checkpoint, or the newest where the best cannot be read.
 * The dataset is read, and the queries are encoded, only where the directory does not have what they give.
 * @param data the dataset's folder; undefined takes the run's
 * @throws ReportError REPORT_NOTHING, REPORT_NO_DATASET; the errors of reading run and checkpoint
 */
export async function readRunMaterial(
  path: string,
  data: string | undefined,
  console: Console,
  signal: AbortSignal,
): Promise<RunMaterial> {
  const directory = RunDirectory.at(path);
  const run = readAsInspected(directory, { data, workers: undefined });
  const content = await readRunContent(path);
  if (!directory.hasBegun) throw nothingIn(path);
  const { spec } = run;
  const layout = describeModel({ ...spec.model, bits: spec.bits });
  const listed = readPictureList(directory);
  const dataset = listed === null ? await datasetOf(run, path, console, signal) : null;
  const pictures = listed ?? pictureListOf(dataset!, spec.dataset.path);
  const { restored, isBest } = await restoreBest(directory, run, layout, pictures.fingerprint, console);
  const { state } = restored ?? {};
  if (state === undefined || state.history.length === 0) throw nothingIn(path);
  const { iteration, globalStep, phase } = state.position;
  return {
    name: run.metadata.name,
    run,
    content,
    layout,
    checkpoint: {
      name: restored!.name,
      step: globalStep,
      iteration: phase === 'evaluate' ? iteration + 1 : iteration,
      isBest,
    },
    state,
    queryCodes:
      state.queryCodes ??
      (await encodedQueries(
        run,
        restored!,
        dataset ?? (await datasetOf(run, path, console, signal)),
        console,
      )),
    pictures,
    events: readEvents(directory),
  };
}

function nothingIn(path: string): ReportError {
  return new ReportError(
    'REPORT_NOTHING',
    `${path} has no checkpoint of a finished iteration yet, so there are no codes to report on`,
  );
}

async function restoreBest(
  directory: RunDirectory,
  run: TrainingRun,
  layout: ModelLayout,
  fingerprint: string,
  { log }: Console,
): Promise<{ restored: RestoredRun | null; isBest: boolean }> {
  const fence = readersFence(directory);
  const entries = await new CheckpointStore(directory.checkpoints, { keep: 1, fence }).list();
  const checkpoints = new RunCheckpoints({
    run,
    directory,
    dataset: { root: run.spec.dataset.path, fingerprint },
    layout,
    term: 0,
    fence,
    log,
    clock: systemClock,
  });
  const step = entries.find(({ best }) => best)?.manifest?.position.globalStep;
  if (step !== undefined) {
    const restored = await checkpoints.restore(null, { least: step, most: step });
    if (restored) return { restored, isBest: true };
  }
  return { restored: await checkpoints.restore(null), isBest: false };
}

async function datasetOf(
  { spec }: TrainingRun,
  path: string,
  { log, startTask }: Console,
  signal: AbortSignal,
): Promise<Dataset> {
  const reading = lateProgress((total) => startTask({ name: 'reading', total, unit: 'images' }));
  try {
    return await loadDataset(spec.dataset.path, {
      memory: digestMemory(spec.operation.cache.directory, log),
      signal,
      onProgress: (what, done, total) => what === 'reading' && reading(done, total),
    });
  } catch (cause) {
    if (!(cause instanceof DatasetError)) throw cause;
    throw new ReportError(
      'REPORT_NO_DATASET',
      `${path} does not have the classes of its images or the codes of its queries, as runs of earlier versions, so its report needs the dataset, but ${cause.message}; --data names its folder`,
      { cause },
    );
  }
}

/** Computes the query codes on workers of this machine, as `evaluate` does. */
async function encodedQueries(
  run: TrainingRun,
  { state, origin }: RestoredRun,
  dataset: Dataset,
  console: Console,
): Promise<Int8Array> {
  const { spec } = run;
  const progress = lateProgress((total) => console.startTask({ name: 'queries', total, unit: 'images' }));
  return withLocalWorkers({ run, dataset, origin, what: 'report', console }, async (surroundings) => {
    const weights = new OutgoingWeights(0, state.position.globalStep, state.weights, spec.wire.precision);
    const context = { ...surroundings, spec, dataset, term: 0, onProgress: progress };
    const { queryCodes } = await evaluateCodes(context, weights, state, null, null);
    return unpackCodes(queryCodes, dataset.test.labels.length, spec.bits);
  });
}
