import { expect, test } from 'vitest';
import { iterationViews, precisionOf } from '../../src/live/iteration-views.js';
import { LossCurve } from '../../src/live/loss-curve.js';

test('a curve that fits has every step', () => {
  const curve = new LossCurve(['a', 'b'], 8);
  for (let step = 1; step <= 7; step++) curve.add(step, [step, 10 * step]);
  expect(curve.view()).toEqual({
    steps: [1, 2, 3, 4, 5, 6, 7],
    stepsPerPoint: 1,
    terms: { a: [1, 2, 3, 4, 5, 6, 7], b: [10, 20, 30, 40, 50, 60, 70] },
  });
});

test('of a curve that does not fit, each point is the mean of as many steps', () => {
  const curve = new LossCurve(['a'], 8);
  const first = 100;
  for (let step = first + 1; step <= first + 1_000; step++) curve.add(step, [step ** 2]);
  const { steps, stepsPerPoint, terms } = curve.view();
  expect(steps.length).toBeLessThanOrEqual(8);
  expect(steps.length).toBeGreaterThanOrEqual(4);
  steps.forEach((end, at) => {
    expect(end - (steps[at - 1] ?? first)).toBe(stepsPerPoint);
    let sum = 0;
    for (let step = end - stepsPerPoint + 1; step <= end; step++) sum += step ** 2;
    expect(terms.a![at]).toBeCloseTo(Number((sum / stepsPerPoint).toPrecision(6)), 3);
  });
});

const history = (length: number, every: number) =>
  Array.from({ length }, (_, at) => ({
    iteration: at + 1,
    losses: { similarity: 1 / 3 },
    evaluation: (at + 1) % every === 0 ? { mAP: at / length } : null,
  }));

test('iterations that fit are all there, with six digits', () => {
  const shown = iterationViews(history(250, 100));
  expect(shown.map(({ iteration }) => iteration)).toEqual(Array.from({ length: 250 }, (_, at) => at + 1));
  expect(shown[0]!.losses).toEqual({ similarity: 0.333333 });
});

test('of a hundred thousand iterations few are shown: the newest, and the evaluations', () => {
  const shown = iterationViews(history(100_000, 1_000));
  expect(shown.length).toBeLessThanOrEqual(500);
  expect(shown.at(-1)!.iteration).toBe(100_000);
  expect(shown.filter(({ mAP }) => mAP !== null)).toHaveLength(100);
});

test('the last and the best precision', () => {
  expect(precisionOf([])).toEqual({ mAP: null, bestMAP: null });
  const of = (...values: (number | null)[]) =>
    precisionOf(
      values.map((mAP, at) => ({ iteration: at + 1, losses: {}, evaluation: mAP === null ? null : { mAP } })),
    );
  expect(of(0.2, 0.5, 0.4, null)).toEqual({ mAP: 0.4, bestMAP: 0.5 });
});
