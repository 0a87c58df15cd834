import { expect, test } from 'vitest';
import { printable } from '../../src/errors.js';
import { viewStates } from '../../src/live/view.js';
import { type Surroundings, sparkline, watchLines } from '../../src/live/watch-lines.js';
import { runView, viewOfState } from '../kit/run-views.js';

const wide: Surroundings = { columns: 120, rows: 30, nowMs: Date.now(), goneSinceMs: null };
const text = (view = runView(), surroundings = wide) =>
  watchLines(view, surroundings)
    .map((line) => line.text)
    .join('\n');

test('a run is shown with its position, figures, workers and events', () => {
  const shown = text();
  expect(shown).toContain('cub-48bits   training   iteration 4 of 7, epoch 2 of 4, step 6 of 16');
  expect(shown).toContain('47 %   213 of 448 steps   12 min 34 s left   413 images/s');
  expect(shown).toMatch(/^mAP {3}0\.5689, best 0\.5689 {3}▁▅█$/m);
  expect(shown).toMatch(
    /^ {3}1 {2}gpu-node-7\.example\.internal {2}ready, late +317 +0\.17 s .*NVIDIA H100/m,
  );
  expect(shown).toMatch(/newest first\n09:06:40 {2}checkpoint term-000001-step-0000000192 is written/);
});

test('a run whose last step is done and whose codes are not yet evaluated is not done', () => {
  const last = { iteration: 6, position: { epoch: 4, step: 0, globalStep: 448, phase: 'evaluate' } } as const;
  for (const state of ['evaluating', 'failed', 'interrupted'] as const)
    expect(text(runView({ ...last, state }))).toContain('99 %   448 of 448 steps');
  expect(text(viewOfState.finished())).toContain('100 %   448 of 448 steps');
});

test('it says what a run waits for, why it failed, and that the coordinator is gone', () => {
  expect(text(viewOfState.waiting())).toContain('the run waits for 2 more workers (0 of 2 are there)');
  expect(text(viewOfState.failed())).toContain('the gradient of step 214 is not finite');
  const gone = { ...wide, goneSinceMs: wide.nowMs - 65_000 };
  expect(text(runView(), gone)).toContain(
    'the coordinator has been gone for 1 min 5 s; this is its last state',
  );
});

test('in any window, no line is wider and none is too many', () => {
  const workers = Array.from({ length: 200 }, (_, slot) => ({ ...runView().workers[0]!, slot }));
  for (const state of viewStates) {
    for (const [columns, rows] of [
      [1, 1],
      [20, 3],
      [40, 12],
      [80, 24],
      [250, 80],
    ] as const) {
      const lines = watchLines({ ...viewOfState[state](), workers }, { ...wide, columns, rows });
      expect(lines.length, `${state} ${columns} x ${rows}`).toBeLessThanOrEqual(rows);
      expect(Math.max(...lines.map((line) => line.text.length)), `${state} ${columns}`).toBeLessThan(
        Math.max(2, columns),
      );
    }
  }
  expect(text({ ...runView(), workers }, { ...wide, rows: 24 })).toMatch(/^and 19\d more$/m);
});

test('a name from outside cannot command the terminal', () => {
  const view = runView({ run: 'a\u001b[2Jb', reason: '\u0007' });
  expect(text(view)).toContain('a\\u001b[2Jb');
  expect(
    text(view)
      .split('\n')
      .filter((line) => printable(line) !== line),
  ).toEqual([]);
});

test('a sparkline goes from the least to the greatest, in the mean where it is too narrow', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([0, 0, 9, 9], 2)).toBe('▁█');
  expect(sparkline([5, 5], 8)).toBe('▁▁');
  expect(sparkline([Number.NaN], 8)).toBe('');
});
