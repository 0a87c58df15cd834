import type { Console } from '../console/console.js';
import { print } from '../console/output.js';
import { readableDuration } from '../console/progress.js';
import { formatTable } from '../console/table.js';
import { computeSeconds, type Speed } from '../estimate/duration.js';
import { countWork, type DatasetCounts } from '../estimate/work.js';
import { localWorkerCount } from '../schedule/worker-count.js';
import type { Cell } from './cell.js';
import { type CellState, stateOf } from './cell-state.js';

/** What one run of an experiment would take. */
export interface PlannedRun {
  readonly run: string;
  readonly state: CellState['kind'];
  /** Why the state is `failed`, as a sentence; null in every other state. */
  readonly reason: string | null;
  readonly steps: number;
  readonly trainedImages: number;
  readonly encodedImages: number;
  /** Local workers, which `seconds` counts on. */
  readonly workers: number;
  /** Of the whole run with the local workers, without V-steps and rankings; null when the speed is unknown. */
  readonly seconds: number | null;
}

/** What every run takes, from its first step. */
export function planRuns(
  cells: readonly Cell[],
  counts: DatasetCounts,
  speed: Speed | null,
): readonly PlannedRun[] {
  return cells.map((cell) => {
    const { spec } = cell.run;
    const work = countWork(spec, counts);
    const workers = localWorkerCount(cell.run);
    const seconds = speed && computeSeconds(spec, work, speed, workers);
    const { steps, trainedImages, encodedImages } = work;
    const state = stateOf(cell);
    return {
      run: cell.name,
      state: state.kind,
      reason: state.kind === 'failed' ? state.sentence : null,
      steps,
      trainedImages,
      encodedImages,
      workers,
      seconds: seconds && seconds.training + seconds.encoding,
    };
  });
}

/**
 * `--plan`: a table on a terminal with the reasons of failed runs below, otherwise a JSON line for each run and one for the
 * sum of those without a result. A failed run is not counted: it does not run before its reason is gone.
 */
export async function showPlan(console: Console, runs: readonly PlannedRun[]): Promise<void> {
  const missing = runs.filter(({ state }) => state === 'absent' || state === 'begun');
  const sum = (value: (run: PlannedRun) => number) => missing.reduce((total, run) => total + value(run), 0);
  const total = {
    steps: sum(({ steps }) => steps),
    trainedImages: sum(({ trainedImages }) => trainedImages),
    encodedImages: sum(({ encodedImages }) => encodedImages),
    seconds: missing.some(({ seconds }) => seconds === null) ? null : sum(({ seconds }) => seconds!),
  };
  if (!console.isTerminal) {
    for (const run of runs) console.log.info('planned run', { ...run });
    console.log.info('planned', { runs: runs.length, missing: missing.length, ...total });
    return;
  }
  const numbers = ['steps', 'images trained', 'images encoded', 'workers', 'time'];
  const columns = ['run', 'state', ...numbers].map((title) => ({ title, isNumber: numbers.includes(title) }));
  type Figures = Omit<PlannedRun, 'run' | 'state' | 'reason' | 'workers'>;
  const figures = ({ steps, trainedImages, encodedImages, seconds }: Figures, workers: string) => [
    ...[steps, trainedImages, encodedImages].map((count) => count.toLocaleString('en-GB')),
    workers,
    readableDuration(seconds),
  ];
  const rows = runs.map((run) => [run.run, run.state, ...figures(run, String(run.workers))]);
  const last = [`${missing.length} of ${runs.length} to run`, '', ...figures(total, '')];
  await print(formatTable(columns, [...rows, last]));
  for (const { run, reason } of runs) if (reason !== null) console.log.warn(`${run}: ${reason}`);
}
