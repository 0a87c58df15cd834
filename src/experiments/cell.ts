import { join } from 'node:path';
import type { TrainingRun } from '../run/training-run.js';

/** What is equal for all methods of a table; docs/comparison.md defines it. */
export const equalities = ['none', 'steps', 'images'] as const;
export type Equality = (typeof equalities)[number];

/** One run of an experiment. */
export interface Cell {
  /** Name of the run and of its directory. */
  readonly name: string;
  readonly run: TrainingRun;
  /** Whether `fcaenet tune` chose some of its settings. */
  readonly isTuned: boolean;
}

/** The cells of one place of a table: they differ in their seed only. */
export interface Group {
  /** Name of the variant. */
  readonly variant: string;
  readonly bits: number;
  readonly equality: Equality;
  /** In the order of the seeds. */
  readonly cells: readonly Cell[];
  /** Whether its runs have the schedule that the run file and the method say, so that the paper's figure belongs to them. */
  readonly isOwnSchedule: boolean;
}

/** A row of a table: a method, or one value of a setting. */
export interface Variant {
  /** Begins the names of its runs. */
  readonly name: string;
  /** As the table shows it. */
  readonly title: string;
  /** Settings of the row, as for `--set`. */
  readonly settings: readonly string[];
}

/** Everything that an experiment runs, and how it is put together. */
export interface Plan {
  /** The variant that the others are compared with is the first. */
  readonly variants: readonly Variant[];
  readonly bits: readonly number[];
  readonly seeds: readonly number[];
  readonly equalities: readonly Equality[];
  /** Every run once, in the order in which they are carried out. */
  readonly cells: readonly Cell[];
  readonly groups: readonly Group[];
}

/** The run directory of a cell. */
export function directoryOf({ name, run }: Cell): string {
  return join(run.spec.operation.runsDirectory, name);
}
