import * as z from 'zod';
import { type RunResult, readResult } from '../coordinator/training/result.js';
import { FcaenetError } from '../errors.js';
import { readTrainingRun } from '../run/read.js';
import { RunDirectory } from '../run/run-directory.js';
import { trainingDifferences } from '../run/training-hash.js';
import { wrongField } from '../run/wrong-field.js';
import { type Cell, directoryOf } from './cell.js';
import { keptFileOf, readKeptResult } from './kept-result.js';
import { dataDifferences } from './same-data.js';

/**
 * What is there of a cell.
 * - `absent`: no run.
 * - `begun`: a run with the settings of the cell that has not finished.
 * - `finished`: a result of these settings.
 * - `failed`: something else, or a run that ended with an error; the sentence says why.
 */
export type CellState =
  | { readonly kind: 'absent' | 'begun' }
  | { readonly kind: 'finished'; readonly result: RunResult }
  | { readonly kind: 'failed'; readonly sentence: string };

const count = z.number().int().nonnegative();
/** The fields that a table reads besides those that every reader of a result needs. */
const readFields = z.looseObject({
  mAP: z.number().min(0).max(1),
  tieAveragedMAP: z.number().min(0).max(1),
  steps: count,
  images: count,
  seconds: z.number().nonnegative(),
  dataset: z.looseObject({ classes: count, train: count, test: count }),
});

/** The state of a cell, by its directory, or else by the result that was kept of it. */
export function stateOf(cell: Cell): CellState {
  const state = stateOfDirectory(cell);
  if (state.kind !== 'absent' && state.kind !== 'begun') return state;
  return orSentence(() => {
    const kept = readKeptResult(cell);
    return kept === null ? state : usable(kept, keptFileOf(cell));
  });
}

/** Reads the state of a cell from its directory, without locking it. */
function stateOfDirectory(cell: Cell): CellState {
  const directory = RunDirectory.at(directoryOf(cell));
  return orSentence(() => {
    if (!directory.isRun) return { kind: 'absent' };
    const sentence = otherSettings(cell);
    if (sentence !== null) return { kind: 'failed', sentence };
    const result = readResult(directory);
    return result === null ? { kind: 'begun' } : usable(result, directory.resultFile);
  });
}

function usable(result: RunResult, file: string): CellState {
  const { error } = readFields.safeParse(result);
  if (error === undefined) return { kind: 'finished', result };
  const { field, is } = wrongField(result, error.issues);
  return {
    kind: 'failed',
    sentence: `the result ${file} is damaged: its field ${field} is ${is}; delete the file, and the same command writes it again`,
  };
}

function orSentence(read: () => CellState): CellState {
  try {
    return read();
  } catch (error) {
    if (error instanceof FcaenetError) return { kind: 'failed', sentence: error.message };
    throw error;
  }
}

/**
 * How the run in the directory of a cell differs from the cell, as a sentence; null where it does not, or there is none.
 * Throws what `readTrainingRun` throws.
 */
export function otherSettings(cell: Cell): string | null {
  const path = directoryOf(cell);
  const { isRun, runFile } = RunDirectory.at(path);
  const before = isRun ? readTrainingRun(runFile) : null;
  const differences = before
    ? [...trainingDifferences(before, cell.run), ...dataDifferences(before, cell.run)]
    : [];
  if (differences.length === 0) return null;
  return `${path} contains a run with other settings than are asked for: ${differences.join(', ')}; choose another folder with --output`;
}

/** A sentence for each cell in whose place a run, or a kept result, of other settings lies. */
export function sentencesOfOthers(cells: readonly Cell[]): readonly string[] {
  return cells.flatMap((cell) => sentenceOfOther(cell) ?? []);
}

function sentenceOfOther(cell: Cell): string | null {
  try {
    const sentence = otherSettings(cell);
    if (sentence !== null) return sentence;
    // A kept result beside a run that has its own does not count.
    if (stateOfDirectory(cell).kind !== 'finished') readKeptResult(cell);
    return null;
  } catch (error) {
    if (!(error instanceof FcaenetError)) throw error;
    // What cannot be read is a failure of that run alone.
    return error.code === 'EXPERIMENT_RESULT_OTHER' ? error.message : null;
  }
}

/**
 * The states with every result of other images than the first marked as failed: figures of two datasets do not compare.
 */
export function withOneDataset(states: ReadonlyMap<Cell, CellState>): Map<Cell, CellState> {
  const finished = [...states].flatMap(([cell, state]) =>
    state.kind === 'finished' ? [{ cell, ...state.result.dataset }] : [],
  );
  const [first] = finished;
  return new Map(
    [...states].map(([cell, state]) => {
      if (state.kind !== 'finished' || state.result.dataset.fingerprint === first!.fingerprint) {
        return [cell, state];
      }
      const sentence = `${directoryOf(cell)} read other images than ${directoryOf(first!.cell)}: fingerprint ${state.result.dataset.fingerprint.slice(0, 12)}…, expected ${first!.fingerprint.slice(0, 12)}…`;
      return [cell, { kind: 'failed', sentence }];
    }),
  );
}
