import { shortNumber } from './short-number.js';
import { type IterationView, viewBounds } from './view.js';

/** An iteration of a run's history or result. */
export interface TrainedIteration {
  readonly iteration: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly evaluation: { readonly mAP: number } | null;
}

/**
 * What is shown of the iterations. Where there are too many they are thinned evenly, and so are those that were
 * evaluated. The newest is always there.
 */
export function iterationViews(history: readonly TrainedIteration[]): IterationView[] {
  const evaluated = history.filter(({ evaluation }) => evaluation !== null);
  const most = viewBounds.iterations / 2;
  const shown = new Set([...thinned(history, most), ...thinned(evaluated, most)]);
  return history
    .filter((each) => shown.has(each))
    .map(({ iteration, losses, evaluation }) => ({
      iteration,
      losses: Object.fromEntries(Object.entries(losses).map(([term, loss]) => [term, shortNumber(loss)])),
      mAP: evaluation && shortNumber(evaluation.mAP),
    }));
}

/** The mean average precision of the last evaluation and of the best; null before the first. */
export function precisionOf(history: readonly TrainedIteration[]): {
  readonly mAP: number | null;
  readonly bestMAP: number | null;
} {
  const all = history.flatMap(({ evaluation }) => (evaluation ? [evaluation.mAP] : []));
  const best = all.reduce((most, mAP) => Math.max(most, mAP), 0);
  return { mAP: all.at(-1) ?? null, bestMAP: all.length > 0 ? best : null };
}

function thinned<Value>(values: readonly Value[], most: number): readonly Value[] {
  const every = Math.ceil(values.length / most);
  return values.filter((_, at) => (values.length - 1 - at) % every === 0);
}
