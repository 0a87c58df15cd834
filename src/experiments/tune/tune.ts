import { join } from 'node:path';
import { type Console, openConsole } from '../../console/console.js';
import { type ListedDataset, listDataset } from '../../data/dataset.js';
import { KeyedRandom } from '../../data/random.js';
import { ExitCode, type FcaenetError, isPermanent } from '../../errors.js';
import { givenSpeed } from '../../estimate/duration.js';
import type { DatasetCounts } from '../../estimate/work.js';
import { checkDatasetFit } from '../../run/dataset-fit.js';
import { isThere } from '../../run/presence.js';
import type { RunFile } from '../../run/read.js';
import type { TrainingRun } from '../../run/training-run.js';
import { version } from '../../run/version.js';
import { carryOutOn } from '../carry-out-on.js';
import type { Cell } from '../cell.js';
import { otherSettings, stateOf, withOneDataset } from '../cell-state.js';
import { ExperimentError } from '../error.js';
import { planRuns, showPlan } from '../show-plan.js';
import { overridesOf, readTunedDocument, tunedText } from '../tuned-file.js';
import { writeInto, writingInto } from '../write-into.js';
import { drawHoldOut } from './hold-out.js';
import { rungsOf, type Search } from './rungs.js';
import { type Found, search, type TrialOutcome, type TrialRun } from './search.js';
import { type DimensionName, settingsOf, usedDimensions, valuesOf } from './space.js';
import { writeHoldOut } from './write-hold-out.js';

export interface TuneOptions {
  readonly run: TrainingRun;
  /** The run file with settings on top of it, those of the command line included. */
  readonly resolve: RunFile;
  readonly search: Search;
  readonly trials: number;
  /** Of the hold-out and of the trials. */
  readonly seed: number;
  /** Share of each class that is held out. */
  readonly holdOut: number;
  /** Null varies all that have an effect. */
  readonly vary: readonly DimensionName[] | null;
  readonly output: string;
}

/**
 * `fcaenet tune`: searches settings on a hold-out of the train split, and writes `tune.json`. Images of the test split
 * are never opened.
 * @throws ExperimentError EXPERIMENT_NOTHING_TO_TUNE, EXPERIMENT_SEARCH_DIFFERS, EXPERIMENT_TRIAL_UNUSABLE,
 * EXPERIMENT_HOLD_OUT, EXPERIMENT_NO_TRIAL;
 * the errors of the dataset, and of a run that is interrupted or fails for a reason that may pass
 */
export async function tune(options: TuneOptions): Promise<void> {
  const console = openConsole('beside');
  try {
    const found = await new Tuning(options, console).carryOut();
    const { trial, mAP, settings } = found;
    console.log.info('settings chosen', { trial, mAP, ...settings, file: fileIn(options.output) });
  } finally {
    console.close();
  }
}

/**
 * `--plan` of `fcaenet tune`: shows what each run of a search takes, and changes nothing. The trials of a later rung are
 * those that were best in the one before, so the plan takes the first ones in their place.
 * @param imagesPerSecond training speed of one worker; undefined leaves out the times
 * @throws ExperimentError as `tune`, but EXPERIMENT_NO_TRIAL
 */
export async function planTuning(options: TuneOptions, imagesPerSecond: number | undefined): Promise<void> {
  const console = openConsole('result');
  try {
    const speed = imagesPerSecond === undefined ? null : givenSpeed(imagesPerSecond);
    const { cells, counts } = await new Tuning(options, console).plan();
    await showPlan(console, planRuns(cells, counts, speed));
  } finally {
    console.close();
  }
}

function fileIn(output: string): string {
  return join(output, 'tune.json');
}

class Tuning {
  private readonly names: readonly DimensionName[];
  private readonly outcomes: TrialOutcome[] = [];
  private readonly folder: string;

  constructor(
    private readonly options: TuneOptions,
    private readonly console: Console,
  ) {
    this.names = namesToVary(options);
    this.folder = join(options.output, 'hold-out');
  }

  async carryOut(): Promise<Found> {
    const { run, output } = this.options;
    this.requireSameSearch();
    const dataset = await listDataset(run.spec.dataset.path);
    const { held, counts } = this.draw(dataset);
    this.writeHoldOut(dataset, held, counts);
    const { rungs, values } = this;
    const found = await search(rungs, values, (runs) => this.runRung(runs, rungs.length, counts));
    if (found === null) {
      const sentence = this.outcomes.find((outcome) => outcome.sentence !== null)?.sentence;
      throw new ExperimentError(
        'EXPERIMENT_NO_TRIAL',
        `no trial of the search in ${output} has a result, but one needs it to choose; the first failed: ${sentence}`,
        ExitCode.failed,
      );
    }
    this.write(counts, found);
    return found;
  }

  /** The runs of the search, if the first trials were the best ones. */
  async plan(): Promise<{ cells: readonly Cell[]; counts: DatasetCounts }> {
    this.requireSameSearch();
    const { counts } = this.draw(await listDataset(this.options.run.spec.dataset.path));
    const { rungs, values } = this;
    const cells = rungs.flatMap(({ trials, iterations }, rung) =>
      values.slice(0, trials).map((each, trial) => {
        const settings = settingsOf(each, iterations);
        return this.cellOf({ trial, rung, iterations, settings }, counts);
      }),
    );
    for (const { run } of cells) checkDatasetFit(run, { format: 'cub', trainCount: counts.train });
    return { cells, counts };
  }

  private get rungs() {
    const { search: kind, trials, run } = this.options;
    return rungsOf(kind, trials, run.spec.schedule.iterations);
  }

  /** What each trial varies. */
  private get values() {
    const { seed, trials, run } = this.options;
    const random = new KeyedRandom(seed);
    return Array.from({ length: trials }, (_, trial) => valuesOf(trial, this.names, run.spec, random));
  }

  /** Another search in the same folder would mix with this one. */
  private requireSameSearch(): void {
    const file = fileIn(this.options.output);
    if (!isThere(file)) return;
    const [before, now] = [
      readTunedDocument(file),
      { method: this.method, bits: this.bits, search: this.parameters },
    ];
    const [old, current] = [
      { method: before.method, bits: before.bits, ...before.search },
      { method: now.method, bits: now.bits, ...now.search },
    ] as const;
    const differences = Object.keys({ ...old, ...current })
      .map((name) => [name, at(old, name), at(current, name)] as const)
      .filter(([, left, right]) => left !== right)
      .map(([name, left, right]) => `${name} (${left}, now ${right})`);
    if (differences.length === 0) return;
    throw new ExperimentError(
      'EXPERIMENT_SEARCH_DIFFERS',
      `${file} is of a search with other options: ${differences.join(', ')}; choose another folder with --output`,
      ExitCode.cannotCreate,
    );
  }

  private get method() {
    return this.options.run.spec.method;
  }

  private get bits() {
    return this.options.run.spec.bits;
  }

  private get parameters() {
    const { search: kind, trials, seed, holdOut } = this.options;
    return { kind, trials, seed, holdOut, vary: this.names };
  }

  /** Draws the images that are held out, and counts the dataset of the trials. */
  private draw(dataset: ListedDataset): { held: readonly boolean[]; counts: DatasetCounts } {
    const { seed, holdOut } = this.options;
    const { train, classNames, root } = dataset;
    const held = drawHoldOut(train.labels, classNames.length, holdOut, seed);
    const test = held.filter((each) => each).length;
    if (test === 0) {
      throw new ExperimentError(
        'EXPERIMENT_HOLD_OUT',
        `no class of ${root} has two training images, but a class needs two to hold one out`,
      );
    }
    return { held, counts: { classes: classNames.length, train: held.length - test, test } };
  }

  /** Writes the dataset of the trials. */
  private writeHoldOut(
    dataset: ListedDataset,
    held: readonly boolean[],
    { train, test }: DatasetCounts,
  ): void {
    writingInto(this.options.output, () => writeHoldOut(this.folder, dataset, held));
    this.console.log.info('hold-out drawn', { train, heldOut: test, folder: this.folder });
  }

  private async runRung(
    runs: readonly TrialRun[],
    rungs: number,
    counts: DatasetCounts,
  ): Promise<readonly TrialOutcome[]> {
    const [{ rung, iterations }] = runs as readonly [TrialRun];
    const cells = runs.map((run) => this.cellOf(run, counts));
    for (const { run } of cells) checkDatasetFit(run, { format: 'cub', trainCount: counts.train });
    // Without such a trial the search would choose another one, and forget what it has chosen.
    for (const cell of cells) {
      const sentence = otherSettings(cell);
      if (sentence === null) continue;
      throw new ExperimentError('EXPERIMENT_SEARCH_DIFFERS', sentence, ExitCode.cannotCreate);
    }
    for (const state of withOneDataset(new Map(cells.map((cell) => [cell, stateOf(cell)]))).values()) {
      if (state.kind !== 'failed') continue;
      throw new ExperimentError('EXPERIMENT_TRIAL_UNUSABLE', state.sentence, ExitCode.badData);
    }
    this.console.log.info('rung of the search', {
      number: rung + 1,
      of: rungs,
      trials: runs.length,
      iterations,
    });
    const before = this.outcomes.length;
    await carryOutOn(this.console, cells, counts, {
      name: 'search',
      endsAll: mayPass,
      onStates: (found) => {
        const states = withOneDataset(found);
        this.outcomes.length = before;
        for (const [index, run] of runs.entries()) {
          const state = states.get(cells[index]!)!;
          const result = state.kind === 'finished' ? state.result : null;
          this.outcomes.push({
            ...run,
            mAP: result?.mAP ?? null,
            seconds: result?.seconds ?? null,
            sentence: state.kind === 'failed' ? state.sentence : null,
          });
        }
        this.write(counts, null);
      },
    });
    return this.outcomes.slice(before);
  }

  private cellOf({ trial, rung, iterations, settings }: TrialRun, counts: DatasetCounts): Cell {
    const { run, resolve, output } = this.options;
    const name = `trial${String(trial).padStart(3, '0')}-rung${rung + 1}`;
    const sampleSize = Math.min(run.spec.dataset.sampleSize, counts.train);
    return {
      name,
      isTuned: false,
      run: resolve([
        ...overridesOf(settings),
        `spec.schedule.iterations=${iterations}`,
        `spec.dataset.path=${this.folder}`,
        'spec.dataset.kind=null',
        `spec.dataset.sampleSize=${sampleSize}`,
        `spec.operation.runsDirectory=${join(output, 'runs')}`,
        `metadata.name=${name}`,
      ]),
    };
  }

  private write(counts: DatasetCounts, chosen: Found | null): void {
    const { run, output } = this.options;
    const document = {
      fcaenet: version,
      run: run.metadata.name,
      method: this.method,
      bits: this.bits,
      search: this.parameters,
      holdOut: { train: counts.train, heldOut: counts.test, folder: this.folder },
      trials: this.outcomes,
      chosen: chosen && { ...chosen },
    };
    writeInto(output, { 'tune.json': tunedText(document) });
  }
}

/**
 * Whether the reason of a run's failure may be gone when it is carried out again, such as another process that holds it.
 * Without that trial the search would choose as if its settings were bad.
 */
function mayPass({ exitCode }: FcaenetError): boolean {
  return !isPermanent(exitCode) || exitCode === ExitCode.inputOutput;
}

function namesToVary({ run, vary, search: _ }: TuneOptions): readonly DimensionName[] {
  const { method } = run.spec;
  const used = usedDimensions(run.spec);
  const useless = vary?.find((name) => !used.includes(name));
  if (useless !== undefined || used.length === 0) {
    throw new ExperimentError(
      'EXPERIMENT_NOTHING_TO_TUNE',
      useless === undefined
        ? `${method} trains no network, but a search varies settings of training`
        : `--vary ${useless} has no effect on ${method}, which needs one of ${used.join(', ') || 'none'}`,
    );
  }
  return used.filter((name) => vary === null || vary.includes(name));
}

function at(record: Readonly<Record<string, unknown>>, name: string): string | undefined {
  return JSON.stringify(record[name]);
}
