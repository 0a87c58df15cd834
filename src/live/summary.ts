import type { RunSummary, RunView } from './view.js';

/** The part of a view that a list shows. */
export function summaryOf(view: RunView): RunSummary {
  const { run, state, method, bits, iteration, iterations, mAP } = view;
  return { run, state, method, bits, iteration, iterations, mAP };
}
