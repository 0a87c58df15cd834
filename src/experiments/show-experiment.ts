import { basename, join } from 'node:path';
import { type Console, openConsole } from '../console/console.js';
import { listDataset } from '../data/dataset.js';
import { ExitCode } from '../errors.js';
import { countsOf } from '../estimate/dataset-counts.js';
import { givenSpeed } from '../estimate/duration.js';
import { checkDatasetFit } from '../run/dataset-fit.js';
import { isAbsent } from '../run/presence.js';
import { carryOutOn } from './carry-out-on.js';
import type { Cell, Plan } from './cell.js';
import { type CellState, sentencesOfOthers, stateOf, withOneDataset } from './cell-state.js';
import { ExperimentError } from './error.js';
import { keepResult } from './kept-result.js';
import { cellsFolder, isEmptyOrManifests, writeManifests } from './manifests.js';
import type { PaperFigure } from './paper-figures.js';
import { sentenceOfOtherData } from './same-data.js';
import { planRuns, showPlan } from './show-plan.js';
import { type Summary, summarise } from './summary.js';
import { writeTable } from './table-files.js';
import type { TableHeading } from './table-markdown.js';

/** A table to make: `fcaenet table` or `fcaenet ablate`. */
export interface Experiment {
  readonly name: 'table' | 'ablation';
  readonly heading: TableHeading;
  readonly plan: Plan;
  readonly paperFigure: PaperFigure;
  /** Folder of the tables; the runs are in `runs` in it. */
  readonly output: string;
}

/**
 * Carries out the runs of an experiment that have no result, and writes its tables after each.
 * @param runsNothing only writes the tables of what is there
 * @throws ExperimentError EXPERIMENT_OUTPUT_OTHER before anything is read or written, EXPERIMENT_RUNS_FAILED at the end when
 * runs failed; the errors of the dataset, and of a run that is interrupted
 */
export async function carryOutExperiment(experiment: Experiment, runsNothing = false): Promise<void> {
  const { name, heading, plan, paperFigure, output } = experiment;
  requireOwnFolder(experiment);
  const console = openConsole('beside');
  const write = (states: ReadonlyMap<Cell, CellState>): Summary => {
    const compared = withOneDataset(states);
    for (const [cell, state] of compared) if (state.kind === 'finished') keepResult(cell, state.result);
    const summary = summarise(plan, compared, paperFigure);
    writeTable(output, heading, plan, summary);
    return summary;
  };
  try {
    const summary = write(
      !runsNothing && plan.cells.some(isMissing)
        ? await carryOutOn(console, plan.cells, await countsForRuns(plan), {
            name,
            onStates: write,
            // The others are figures of their own.
            endsAll: () => false,
          })
        : new Map(plan.cells.map((cell) => [cell, stateOf(cell)])),
    );
    console.log.info(`${name} written`, {
      runs: summary.runs,
      finished: summary.finished,
      file: join(output, 'table.md'),
    });
    requireNoFailure(summary, name, output);
  } finally {
    console.close();
  }
}

/**
 * Shows what an experiment would run, and changes nothing.
 * @param imagesPerSecond training speed of one worker; undefined leaves out the times
 */
export async function planExperiment(
  { plan }: Experiment,
  imagesPerSecond: number | undefined,
): Promise<void> {
  const console: Console = openConsole('result');
  try {
    const speed = imagesPerSecond === undefined ? null : givenSpeed(imagesPerSecond);
    await showPlan(console, planRuns(plan.cells, await fittingCounts(plan), speed));
  } finally {
    console.close();
  }
}

/**
 * Writes the runs of an experiment that have no result as Jobs for Kubernetes.
 * @param folder of the manifests
 * @throws ExperimentError EXPERIMENT_OUTPUT_OTHER; the errors of the dataset
 */
export async function writeExperimentManifests(experiment: Experiment, folder: string): Promise<void> {
  requireOwnFolder(experiment);
  requireOwnManifests(folder, experiment.plan);
  const console = openConsole('result');
  try {
    await fittingCounts(experiment.plan);
    const cells = experiment.plan.cells.filter(isMissing);
    writeManifests(folder, namespaceOf(experiment.output), cells);
    console.log.info('manifests written', { jobs: cells.length, folder });
  } finally {
    console.close();
  }
}

/** Last part of the output's name, as Kubernetes allows it. */
function namespaceOf(output: string): string {
  const name = basename(output)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '');
  return `table-${name}`.replace(/-$/, '');
}

/** Runs of other settings are another experiment's: its tables would be replaced by ones without its figures. */
function requireOwnFolder({ name, plan, output }: Experiment): void {
  const others = sentencesOfOthers(plan.cells);
  if (others.length > 0) {
    throw otherOutput(
      output,
      `${others.length} of ${plan.cells.length} runs of this ${name} are there with other settings; the first: ${others[0]}`,
    );
  }
  const runs = plan.cells.map(({ run }) => run);
  const sentence = sentenceOfOtherData(runs[0]!.spec.operation.runsDirectory, runs);
  if (sentence !== null) throw otherOutput(output, `${sentence}; choose another folder with --output`);
}

/** Manifests of other data are another experiment's: its Jobs would be replaced by some with the same names. */
function requireOwnManifests(folder: string, { cells }: Plan): void {
  if (!isEmptyOrManifests(folder)) {
    throw otherOutput(
      folder,
      'its kustomization.yaml is none of a table; choose another folder with --manifests',
    );
  }
  const sentence = sentenceOfOtherData(
    cellsFolder(folder),
    cells.map(({ run }) => run),
  );
  if (sentence === null) return;
  throw otherOutput(folder, `${sentence}; choose another folder with --manifests, or delete this one`);
}

function otherOutput(folder: string, reason: string): ExperimentError {
  const sentence = `${folder} is left as it is, because ${reason}`;
  return new ExperimentError('EXPERIMENT_OUTPUT_OTHER', sentence, ExitCode.cannotCreate);
}

function isMissing(cell: Cell): boolean {
  const { kind } = stateOf(cell);
  return kind === 'absent' || kind === 'begun';
}

/** The counts of the dataset, which must be there: without it each run would fail. */
async function countsForRuns(plan: Plan) {
  const { path } = plan.cells[0]!.run.spec.dataset;
  if (await isAbsent(path)) await listDataset(path);
  return fittingCounts(plan);
}

/** The dataset's counts. A run that does not fit the dataset is refused before the first run begins. */
async function fittingCounts({ cells }: Plan) {
  const { format, source: _, ...counts } = await countsOf(cells[0]!.run);
  for (const { run } of cells) checkDatasetFit(run, { format, trainCount: counts.train });
  return counts;
}

function requireNoFailure({ failures, runs }: Summary, name: string, output: string): void {
  const [first] = failures;
  if (first === undefined) return;
  throw new ExperimentError(
    'EXPERIMENT_RUNS_FAILED',
    `${failures.length} of ${runs} runs of the ${name} failed, which is written to ${output} without them; the first, ${first.run}: ${first.sentence}`,
    ExitCode.failed,
  );
}
