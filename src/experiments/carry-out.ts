import { FcaenetError } from '../errors.js';
import type { Cell } from './cell.js';
import type { CellState } from './cell-state.js';

/** How an experiment is carried out, apart from which runs it has. */
export interface Surroundings {
  /** The state of a cell now. */
  readonly look: (cell: Cell) => CellState;
  /**
   * Starts or resumes a run, and waits for its end.
   * @throws FcaenetError when it fails or is interrupted
   */
  readonly run: (cell: Cell) => Promise<void>;
  /** Whether no other run shall begin after a run that failed with this error. */
  readonly endsAll: (error: unknown) => boolean;
  /** Aborted when the user wants everything to stop. Its reason is the error where the run had finished before. */
  readonly signal: AbortSignal;
  /** Called at the beginning, and after each run, with all states. */
  readonly onStates: (states: ReadonlyMap<Cell, CellState>) => void;
}

/**
 * Runs or resumes, one after the other, every cell that has no result. A run that fails is recorded, and the next one
 * starts.
 * @returns the state of every cell
 * @throws the error of a run that was interrupted or ends everything, the reason of the signal, and errors that are no
 * sentence for a user
 */
export async function carryOut(
  cells: readonly Cell[],
  { look, run, endsAll, signal, onStates }: Surroundings,
): Promise<ReadonlyMap<Cell, CellState>> {
  const states = new Map(cells.map((cell) => [cell, look(cell)]));
  onStates(states);
  for (const cell of cells) {
    const { kind } = states.get(cell)!;
    if (kind === 'finished' || kind === 'failed') continue;
    states.set(cell, await outcomeOf(cell));
    onStates(states);
    signal.throwIfAborted();
  }
  return states;

  async function outcomeOf(cell: Cell): Promise<CellState> {
    try {
      await run(cell);
    } catch (error) {
      if (signal.aborted || endsAll(error) || !(error instanceof FcaenetError)) throw error;
      return { kind: 'failed', sentence: error.message };
    }
    const state = look(cell);
    if (state.kind === 'finished' || state.kind === 'failed') return state;
    return { kind: 'failed', sentence: `the run ${cell.name} ended, but has no result` };
  }
}
