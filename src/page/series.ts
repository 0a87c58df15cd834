import type { RunView } from '../live/view.js';

/** One line of a chart. */
export interface Series {
  readonly label: string;
  /** Name of the colour in style.css. */
  readonly colour: string;
  readonly isDashed?: boolean;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
}

/** As many as the sum and the terms of the method that has most. */
const colours = ['--line-1', '--line-2', '--line-3', '--line-4', '--line-5', '--line-6'];

/**
 * The losses of a run by step, the sum first. Iterations that this coordinator did not train are one point each, at
 * their last step.
 */
export function lossSeries(view: RunView): Series[] {
  const { losses, iterationsDone, epochs, stepsPerEpoch } = view;
  const first = losses.steps[0] ?? Number.POSITIVE_INFINITY;
  const earlier = iterationsDone
    .map(({ iteration, losses: terms }) => ({ step: iteration * epochs * stepsPerEpoch, terms }))
    .filter(({ step, terms }) => step < first && Object.keys(terms).length > 0);
  const names = Object.keys(losses.steps.length > 0 ? losses.terms : (earlier[0]?.terms ?? {}));
  const x = [...earlier.map(({ step }) => step), ...losses.steps];
  const terms = names.map((name) => [
    ...earlier.map(({ terms }) => terms[name] ?? null),
    ...(losses.terms[name] ?? []),
  ]);
  // A term that the method does not have is 0 everywhere.
  const used = names
    .map((label, at) => ({ label, y: terms[at]! }))
    .filter(({ y }) => y.some((value) => value !== 0));
  const sum = x.map((_, at) => terms.reduce<number>((total, values) => total + (values[at] ?? 0), 0));
  if (x.length === 0) return [];
  return [
    { label: 'sum', colour: colours[0]!, x, y: sum },
    ...used.map(({ label, y }, at) => ({ label, y, x, colour: colours[(at + 1) % colours.length]! })),
  ];
}

/** Mean average precision by iteration. */
export function precisionSeries({ iterationsDone }: RunView): Series[] {
  const evaluated = iterationsDone.filter(({ mAP }) => mAP !== null);
  if (evaluated.length === 0) return [];
  return [
    {
      label: 'mAP',
      colour: colours[0]!,
      x: evaluated.map(({ iteration }) => iteration),
      y: evaluated.map(({ mAP }) => mAP),
    },
  ];
}

/** The same line of two runs, for one chart. */
export function besideEachOther(first: RunView, second: RunView, of: (view: RunView) => Series[]): Series[] {
  return [first, second].flatMap((view, at) =>
    of(view)
      .slice(0, 1)
      .map((series) => ({ ...series, label: view.run, colour: colours[at]!, isDashed: at === 1 })),
  );
}

/** Settings that differ between two runs, by path. */
export function differences(
  first: RunView,
  second: RunView,
): [path: string, first: string, second: string][] {
  const text = (value: unknown) =>
    value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
  return Object.keys({ ...first.settings, ...second.settings })
    .map((path): [string, string, string] => [path, text(first.settings[path]), text(second.settings[path])])
    .filter(([, left, right]) => left !== right);
}
