import type { Console } from '../console/console.js';
import { OwnCommand } from '../console/own-command.js';
import { isInterrupted } from '../coordinator/phase.js';
import { DiskError } from '../disk/error.js';
import { ExitCode, FcaenetError } from '../errors.js';
import { countWork, type DatasetCounts } from '../estimate/work.js';
import { carryOut } from './carry-out.js';
import type { Cell } from './cell.js';
import { type CellState, stateOf } from './cell-state.js';
import { ExperimentError } from './error.js';
import { RemainingWork, workOf } from './remaining-work.js';
import { runCell } from './run-cell.js';

/** What an experiment does with the runs that it carries out. */
export interface CarryOutOptions {
  /** Of the experiment, in the progress. */
  readonly name: string;
  /** Called at the beginning, and after each run. */
  readonly onStates: (states: ReadonlyMap<Cell, CellState>) => void;
  /** Whether no other run shall begin after a run that failed with this error, besides an error of the disk. */
  readonly endsAll: (error: FcaenetError) => boolean;
}

/**
 * Carries out the missing runs of an experiment on this machine, with the progress of the whole on the console.
 * @param counts of the dataset of the runs
 * @throws ExperimentError EXPERIMENT_INTERRUPTED; the error of a run that was interrupted or ends everything
 */
export async function carryOutOn(
  console: Console,
  cells: readonly Cell[],
  counts: DatasetCounts,
  { name, onStates, endsAll }: CarryOutOptions,
): Promise<ReadonlyMap<Cell, CellState>> {
  const { log } = console;
  const missing = cells.filter((cell) => !hasEnded(stateOf(cell)));
  const remaining = new RemainingWork(
    new Map(missing.map((cell) => [cell.name, workOf(countWork(cell.run.spec, counts))])),
  );
  const task = console.startTask({ name, total: cells.length, unit: 'runs' });
  let ended = cells.length - missing.length;
  const show = (current: string) =>
    task.update(
      ended,
      { run: current },
      { perSecond: 0, secondsLeft: remaining.secondsLeft(performance.now()) },
    );
  const resumeCommand = new OwnCommand().resume();
  const stop = new AbortController();
  const onAsked = () => stop.abort(interruptedAfterRun(name, resumeCommand));
  const states = await carryOut(cells, {
    look: stateOf,
    endsAll: (error) =>
      isInterrupted(error) || isOfDisk(error) || (error instanceof FcaenetError && endsAll(error)),
    signal: stop.signal,
    onStates,
    run: async (cell) => {
      log.info('next run', { run: cell.name, number: ended + 1, of: cells.length });
      remaining.begin(cell.name, performance.now());
      show(cell.name);
      let hasFinished = false;
      let goesOn = true;
      try {
        const onShare = (share: number) => {
          remaining.progress(share);
          show(cell.name);
        };
        await runCell(console, cell, resumeCommand, { onShare, onAsked });
        hasFinished = true;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        goesOn = !isInterrupted(error);
        if (goesOn) log.error('run failed', { run: cell.name, reason });
        throw error;
      } finally {
        remaining.end(hasFinished, performance.now());
        if (goesOn) {
          ended += 1;
          show(cell.name);
        }
      }
    },
  });
  task.finish();
  return states;
}

/** The error of an experiment that was asked to stop when the run of that moment could not stop any more. */
export function interruptedAfterRun(name: string, resumeCommand: string): ExperimentError {
  return new ExperimentError(
    'EXPERIMENT_INTERRUPTED',
    `the ${name} was interrupted when a run had just finished; \`${resumeCommand}\` goes on`,
    ExitCode.interrupted,
  );
}

/** What a disk says that takes no more files, which the next run would meet too. */
const diskCodes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'];

/** Whether an error, or what caused it, is of a disk that is full, read-only, broken, or does not answer. */
export function isOfDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return error instanceof DiskError || diskCodes.includes(code ?? '') || isOfDisk(error.cause);
}

/** Whether the cell needs no run: it has a result, or its directory cannot be used. */
function hasEnded({ kind }: CellState): boolean {
  return kind === 'finished' || kind === 'failed';
}
