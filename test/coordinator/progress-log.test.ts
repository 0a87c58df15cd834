import { expect, test } from 'vitest';
import type { Console } from '../../src/console/console.js';
import type { LogFields } from '../../src/console/log.js';
import type { Pace } from '../../src/console/progress.js';
import { progressLog } from '../../src/coordinator/monitoring/progress-log.js';
import { RemainingTime } from '../../src/coordinator/monitoring/remaining-time.js';
import type { RunState } from '../../src/coordinator/training/run-state.js';
import { readTrainingRun } from '../../src/run/read.js';

const stepsPerEpoch = 16;

/** The progress log of examples/quick.yaml, 7 iterations of 64 steps, and what it shows. */
function logged() {
  const { spec } = readTrainingRun('examples/quick.yaml');
  const shown: unknown[] = [];
  const log = (message: string) => void shown.push(message);
  const console: Console = {
    isTerminal: true,
    lostLines: 0,
    log: { info: log, warn: log, error: log },
    startTask: ({ name, total }) => {
      shown.push(`${name} begins, ${total}`);
      return {
        update: (done: number, _fields?: LogFields, pace?: Pace) => shown.push({ done, ...pace }),
        hold: (why) => shown.push({ held: why }),
        finish: () => shown.push(`${name} ends`),
      };
    },
    close: () => {},
  };
  const state = { position: { iteration: 0, epoch: 0, step: 0, phase: 'train', globalStep: 0 } };
  const remaining = new RemainingTime(spec, stepsPerEpoch);
  const notify = progressLog({ console, spec, state: state as RunState, stepsPerEpoch, remaining });
  const step = (iteration: number, globalStep: number, seconds: number) => {
    state.position = { iteration, epoch: 0, step: 0, phase: 'train', globalStep };
    remaining.stepDone(seconds);
    const phases = { pairing: 0, sending: 0, computing: seconds, waiting: 0, reducing: 0, updating: 0 };
    notify({
      type: 'step.done',
      losses: Float64Array.of(1, 2, 3, 4),
      seconds,
      phases,
      images: 64,
      gradientNorm: null,
    });
  };
  return { notify, shown, step, remaining };
}

test('a paused run shows so from its first moment on, without speed', () => {
  const { notify, shown, step } = logged();
  notify({ type: 'paused', isPaused: true });
  notify({ type: 'paused', isPaused: false });
  step(0, 1, 0.5);
  expect(shown).toEqual([
    'paused',
    'training begins, 448',
    { held: 'paused' },
    'going on',
    { held: 'going on' },
    { done: 1, perSecond: 2, secondsLeft: 223.5 },
  ]);
});

test('a run that has lost its workers shows that it waits; one whose first are still to come is no warning', () => {
  const { notify, shown, step } = logged();
  notify({ type: 'work.waiting' });
  expect(shown).toEqual([]);
  step(0, 1, 0.5);
  notify({ type: 'work.waiting' });
  expect(shown.slice(-2)).toEqual([
    'too few workers are there; waiting for more',
    { held: 'waiting for workers' },
  ]);
});

test('an evaluation, a V-step and a slow step change neither speed nor the plan of the steps', () => {
  const { shown, step, remaining } = logged();
  step(0, 63, 0.5);
  step(0, 64, 0.5);
  expect(shown.at(-1)).toEqual({ done: 64, perSecond: 2, secondsLeft: 192 });
  remaining.codesUpdated(3);
  remaining.evaluated(10);
  step(1, 65, 0.5);
  // 383 steps of half a second, six V-steps and six evaluations.
  expect(shown.at(-1)).toEqual({ done: 65, perSecond: 2, secondsLeft: 191.5 + 6 * 13 });
  step(1, 66, 40);
  expect(shown.at(-1)).toEqual({ done: 66, perSecond: 2, secondsLeft: 191 + 6 * 13 });
});
