import type { Console } from '../console/console.js';
import { OwnCommand } from '../console/own-command.js';
import { isInterrupted } from '../coordinator/phase.js';
import { countWork, type DatasetCounts } from '../estimate/work.js';
import { carryOut } from './carry-out.js';
import type { Cell } from './cell.js';
import { type CellState, stateOf } from './cell-state.js';
import { RemainingWork, workOf } from './remaining-work.js';
import { runCell } from './run-cell.js';

/**
 * Carries out the missing runs of an experiment on this machine, with the progress of the whole on the console.
 * @param name of the experiment, in the progress
 * @param counts of the dataset of the runs
 * @param onStates called at the beginning, and after each run
 * @throws the error of an interrupted run
 */
export async function carryOutOn(
  console: Console,
  name: string,
  cells: readonly Cell[],
  counts: DatasetCounts,
  onStates: (states: ReadonlyMap<Cell, CellState>) => void,
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
  const states = await carryOut(cells, {
    look: stateOf,
    isInterruption: isInterrupted,
    onStates,
    run: async (cell) => {
      log.info('next run', { run: cell.name, number: ended + 1, of: cells.length });
      remaining.begin(cell.name, performance.now());
      show(cell.name);
      let hasFinished = false;
      let goesOn = true;
      try {
        await runCell(console, cell, resumeCommand, (share) => {
          remaining.progress(share);
          show(cell.name);
        });
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

/** Whether the cell needs no run: it has a result, or its directory cannot be used. */
function hasEnded({ kind }: CellState): boolean {
  return kind === 'finished' || kind === 'failed';
}
