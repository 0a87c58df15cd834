import { officialCounts } from '../data/layouts/layouts.js';
import type { OfficialCounts } from '../data/layouts/listing.js';
import { type DatasetKind, datasetKinds } from '../run/training-run.js';
import { type Cell, directoryOf, type Group, type Plan } from './cell.js';
import type { CellState } from './cell-state.js';
import type { PaperFigure } from './paper-figures.js';
import { mean, type PairedDifference, pairedDifference, standardDeviation } from './statistics.js';

/** The figures of one place of a table. mAP is a fraction. */
export interface Place {
  readonly variant: string;
  readonly title: string;
  readonly bits: number;
  readonly equality: Group['equality'];
  /** Seeds with a result, and all of them. */
  readonly finished: number;
  readonly seeds: number;
  /** Over the seeds with a result; null where there is none. */
  readonly mAP: { readonly mean: number; readonly deviation: number | null } | null;
  readonly tieAveragedMAP: number | null;
  /** The paper's figure, on the paper's dataset with the method's own schedule; null elsewhere. */
  readonly paper: number | null;
  /** Means over the seeds with a result: of images forward and backward, optimiser steps, and time of training and evaluating. */
  readonly images: number | null;
  readonly steps: number | null;
  readonly seconds: number | null;
  readonly isTuned: boolean;
  readonly runs: readonly RunOfPlace[];
  /** The reference less this, paired by seed; null for the reference itself and where no seed has both. */
  readonly difference: PairedDifference | null;
}

export interface RunOfPlace {
  readonly seed: number;
  readonly run: string;
  readonly state: CellState['kind'];
  /** Why it failed; null otherwise. */
  readonly sentence: string | null;
  readonly mAP: number | null;
  readonly weightsSha256: string | null;
  readonly codesSha256: string | null;
}

/** The outcome of an experiment so far. */
export interface Summary {
  readonly reference: string;
  /** Of the runs with a result; null while there is none. */
  readonly dataset: {
    readonly classes: number;
    readonly train: number;
    readonly test: number;
    readonly fingerprint: string;
    /** The published dataset with these counts; null for another. */
    readonly published: DatasetKind | null;
  } | null;
  readonly places: readonly Place[];
  /** Runs that failed, in the order of the plan. */
  readonly failures: readonly { readonly run: string; readonly sentence: string }[];
  /** Runs with a result, and all. */
  readonly finished: number;
  readonly runs: number;
}

/** Puts results together by the rule of docs/comparison.md. */
export function summarise(
  plan: Plan,
  states: ReadonlyMap<Cell, CellState>,
  paperFigure: PaperFigure,
): Summary {
  const [reference] = plan.variants;
  const dataset = datasetOf(states);
  const mAPOf = (cell: Cell) => {
    const state = states.get(cell)!;
    return state.kind === 'finished' ? state.result.mAP : null;
  };
  const places = plan.groups.map((group): Place => {
    const { variant, bits, equality, cells, isOwnSchedule } = group;
    const results = cells.flatMap((cell) => {
      const state = states.get(cell)!;
      return state.kind === 'finished' ? [state.result] : [];
    });
    const average = (values: readonly number[]) => (values.length > 0 ? mean(values) : null);
    const mAPs = results.map(({ mAP }) => mAP!);
    const published = dataset?.published ?? null;
    return {
      variant,
      title: plan.variants.find(({ name }) => name === variant)!.title,
      bits,
      equality,
      finished: results.length,
      seeds: cells.length,
      mAP: mAPs.length > 0 ? { mean: mean(mAPs), deviation: standardDeviation(mAPs) } : null,
      tieAveragedMAP: average(results.map(({ tieAveragedMAP }) => tieAveragedMAP!)),
      paper: isOwnSchedule && published !== null ? paperFigure(variant, bits, published) : null,
      images: average(results.map(({ images }) => images)),
      steps: average(results.map(({ steps }) => steps)),
      seconds: average(results.map(({ seconds }) => seconds)),
      isTuned: cells.some(({ isTuned }) => isTuned),
      runs: cells.map((cell) => describeRun(cell, states.get(cell)!)),
      difference: variant === reference!.name ? null : differenceTo(referenceOf(plan, group), cells, mAPOf),
    };
  });
  const failures = plan.cells.flatMap((cell) => {
    const state = states.get(cell)!;
    return state.kind === 'failed' ? [{ run: cell.name, sentence: state.sentence }] : [];
  });
  const finished = [...states.values()].filter(({ kind }) => kind === 'finished').length;
  return { reference: reference!.name, dataset, places, failures, finished, runs: plan.cells.length };
}

/** The cells of the reference at the same code length and equality. */
function referenceOf(plan: Plan, { bits, equality }: Group): readonly Cell[] {
  const reference = plan.variants[0]!.name;
  return plan.groups.find(
    (group) => group.variant === reference && group.bits === bits && group.equality === equality,
  )!.cells;
}

function differenceTo(
  reference: readonly Cell[],
  cells: readonly Cell[],
  mAPOf: (cell: Cell) => number | null,
): PairedDifference | null {
  return pairedDifference(
    cells.flatMap((cell, seed) => {
      const [ofReference, own] = [mAPOf(reference[seed]!), mAPOf(cell)];
      return ofReference === null || own === null ? [] : [ofReference - own];
    }),
  );
}

function describeRun(cell: Cell, state: CellState): RunOfPlace {
  const result = state.kind === 'finished' ? state.result : null;
  return {
    seed: cell.run.spec.seed,
    run: directoryOf(cell),
    state: state.kind,
    sentence: state.kind === 'failed' ? state.sentence : null,
    mAP: result?.mAP ?? null,
    weightsSha256: result?.weightsSha256 ?? null,
    codesSha256: result?.codesSha256 ?? null,
  };
}

function datasetOf(states: ReadonlyMap<Cell, CellState>): Summary['dataset'] {
  for (const state of states.values()) {
    if (state.kind !== 'finished') continue;
    const { classes, train, test, fingerprint } = state.result.dataset;
    return { classes, train, test, fingerprint, published: publishedWith({ classes, train, test }) };
  }
  return null;
}

/** The published dataset with exactly these counts; null when there is none. */
export function publishedWith(counts: Omit<OfficialCounts, 'title'>): DatasetKind | null {
  const names = ['classes', 'train', 'test'] as const;
  return (
    datasetKinds.find((kind) => names.every((name) => officialCounts[kind][name] === counts[name])) ?? null
  );
}
