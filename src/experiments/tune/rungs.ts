/** How trials are chosen. */
export const searches = ['random', 'halving'] as const;
export type Search = (typeof searches)[number];

/** Of the trials of a rung, one in so many goes on, with so many times the iterations. */
const reduction = 3;

/** Trials of one length. */
export interface Rung {
  readonly iterations: number;
  /** How many trials it has, without trial 0 if that is not among the best. */
  readonly trials: number;
}

/**
 * The rungs of a search. A random search has one, with all trials at the run file's iterations. Successive halving
 * begins with all trials in short runs, and gives the best third of each rung three times the iterations.
 */
export function rungsOf(search: Search, trials: number, iterations: number): readonly Rung[] {
  const steps = (value: number) => {
    let count = 0;
    for (let left = value; left >= reduction; left /= reduction) count++;
    return count;
  };
  const last = search === 'random' ? 0 : Math.min(steps(trials), steps(iterations));
  return Array.from({ length: last + 1 }, (_, rung) => ({
    iterations: Math.max(1, Math.round(iterations / reduction ** (last - rung))),
    trials: Math.max(1, Math.floor(trials / reduction ** rung)),
  }));
}

/** The figure of a trial in a rung; null of one that failed. */
export interface TrialFigure {
  readonly trial: number;
  readonly mAP: number | null;
}

/** The trials from the best to the worst. Of equal ones the lower number comes first. Those that failed are left out. */
export function ranked(figures: readonly TrialFigure[]): number[] {
  return figures
    .filter(({ mAP }) => mAP !== null)
    .sort((left, right) => right.mAP! - left.mAP! || left.trial - right.trial)
    .map(({ trial }) => trial);
}

/**
 * The trials of the next rung: the best, and trial 0, so that the last rung compares with the run file's own settings.
 */
export function promoted(figures: readonly TrialFigure[], next: Rung): readonly number[] {
  const order = ranked(figures);
  const best = order.slice(0, next.trials);
  return order.includes(0) && !best.includes(0) ? [0, ...best] : best;
}
