import type { TunedValues } from '../tuned-file.js';
import { promoted, type Rung, ranked } from './rungs.js';
import { settingsOf, type TrialValues } from './space.js';

/** One run of a search: a trial at the length of a rung. */
export interface TrialRun {
  readonly trial: number;
  /** From 0. */
  readonly rung: number;
  readonly iterations: number;
  /** As the run has them. */
  readonly settings: TunedValues;
}

/** The same with its outcome. */
export interface TrialOutcome extends TrialRun {
  /** On the hold-out; null when the run failed. */
  readonly mAP: number | null;
  /** Null when the run failed. */
  readonly seconds: number | null;
  /** Why it failed; null otherwise. */
  readonly sentence: string | null;
}

/** The outcome of a search. */
export interface Found {
  readonly trial: number;
  readonly mAP: number;
  readonly settings: TunedValues;
}

/**
 * Carries out a search, rung by rung.
 * @param values of each trial
 * @param runRung runs the trials of one rung, or takes what they have left, and returns their outcomes in their order
 * @returns the best trial of the last rung; null when none has a figure
 */
export async function search(
  rungs: readonly Rung[],
  values: readonly TrialValues[],
  runRung: (runs: readonly TrialRun[]) => Promise<readonly TrialOutcome[]>,
): Promise<Found | null> {
  let trials: readonly number[] = values.map((_, trial) => trial);
  let outcomes: readonly TrialOutcome[] = [];
  for (const [rung, { iterations }] of rungs.entries()) {
    if (rung > 0) trials = promoted(outcomes, rungs[rung]!);
    outcomes = await runRung(
      trials.map((trial) => ({ trial, rung, iterations, settings: settingsOf(values[trial]!, iterations) })),
    );
  }
  const [best] = ranked(outcomes);
  if (best === undefined) return null;
  const { trial, mAP, settings } = outcomes.find((outcome) => outcome.trial === best)!;
  return { trial, mAP: mAP!, settings };
}
