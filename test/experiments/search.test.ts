import { describe, expect, test } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { drawHoldOut } from '../../src/experiments/tune/hold-out.js';
import { promoted, rungsOf } from '../../src/experiments/tune/rungs.js';
import { search, type TrialRun } from '../../src/experiments/tune/search.js';
import { dimensionNames, settingsOf, usedDimensions, valuesOf } from '../../src/experiments/tune/space.js';
import { overridesOf } from '../../src/experiments/tuned-file.js';
import { resolve } from './support.js';

const { spec } = resolve([]);
const random = new KeyedRandom(0);

describe('the space', () => {
  test('has the settings that the method uses', () => {
    const of = (method: string) => usedDimensions(resolve([`spec.method=${method}`]).spec);
    expect(of('fcaenet')).toEqual(dimensionNames);
    expect(of('baseline')).toEqual(['learning-rate', 'schedule']);
    expect(of('esrl')).toEqual(['alpha', 'learning-rate', 'schedule']);
    expect(of('lsh')).toEqual([]);
  });

  test('trial 0 has the run file’s values, also in a shorter run', () => {
    const own = valuesOf(
      0,
      dimensionNames,
      { ...spec, schedule: { ...spec.schedule, iterations: 40, decayAfter: [20, 30] } },
      random,
    );
    expect(settingsOf(own, 40)).toMatchObject({ 'spec.loss.alpha': 1, 'spec.schedule.decayAfter': [20, 30] });
    expect(settingsOf(own, 4)['spec.schedule.decayAfter']).toEqual([2, 3]);
    expect(settingsOf(own, 1)['spec.schedule.decayAfter']).toEqual([1]);
  });

  test('every drawn trial is a valid run', () => {
    for (let trial = 0; trial < 200; trial++) {
      const settings = settingsOf(valuesOf(trial, dimensionNames, spec, random), 3);
      const { loss, erasing, schedule } = resolve(overridesOf(settings)).spec;
      expect(loss.alpha).toBe(settings['spec.loss.alpha']);
      expect(schedule.decayAfter).toEqual(settings['spec.schedule.decayAfter']);
      expect(erasing.size).toBe(settings['spec.erasing.size']);
    }
  });

  test('a value depends on seed, trial and setting only', () => {
    const all = valuesOf(3, dimensionNames, spec, random);
    expect(valuesOf(3, ['beta'], spec, new KeyedRandom(0))).toEqual({ beta: all.beta });
    expect(valuesOf(3, ['beta'], spec, new KeyedRandom(1))).not.toEqual({ beta: all.beta });
    expect(valuesOf(4, ['beta'], spec, random)).not.toEqual({ beta: all.beta });
  });
});

describe('rungs', () => {
  test('a random search has one, with the iterations of the run file', () => {
    expect(rungsOf('random', 20, 40)).toEqual([{ iterations: 40, trials: 20 }]);
  });

  test('halving gives the best third three times the iterations', () => {
    expect(rungsOf('halving', 27, 40)).toEqual([
      { iterations: 1, trials: 27 },
      { iterations: 4, trials: 9 },
      { iterations: 13, trials: 3 },
      { iterations: 40, trials: 1 },
    ]);
  });

  test('are no more than iterations or trials allow', () => {
    expect(rungsOf('halving', 27, 7)).toEqual([
      { iterations: 2, trials: 27 },
      { iterations: 7, trials: 9 },
    ]);
    expect(rungsOf('halving', 2, 40)).toEqual([{ iterations: 40, trials: 2 }]);
  });

  test('the best go on, of equal ones the first, and the run file’s own always', () => {
    const figures = [0.1, 0.5, null, 0.5, 0.9].map((mAP, trial) => ({ trial, mAP }));
    expect(promoted(figures, { iterations: 9, trials: 2 })).toEqual([0, 4, 1]);
    expect(promoted(figures.slice(1), { iterations: 9, trials: 2 })).toEqual([4, 1]);
  });
});

test('a search takes the best trial of the last rung, with its settings at full length', async () => {
  const rungs = rungsOf('halving', 4, 9);
  const values = [1, 2, 3, 4].map((alpha) => ({ alpha, schedule: [1 / 3] }));
  const ran: TrialRun[][] = [];
  // Short runs prefer the last trial, long ones the run file's.
  const found = await search(rungs, values, async (runs) => {
    ran.push([...runs]);
    return runs.map((run) => ({
      ...run,
      mAP: run.rung === 0 ? run.trial / 10 : 1 - run.trial / 10,
      seconds: 1,
      sentence: null,
    }));
  });
  expect(ran.map((runs) => runs.map(({ trial, iterations }) => [trial, iterations]))).toEqual([
    [
      [0, 3],
      [1, 3],
      [2, 3],
      [3, 3],
    ],
    [
      [0, 9],
      [3, 9],
    ],
  ]);
  expect(ran[0]![0]!.settings).toEqual({ 'spec.loss.alpha': 1, 'spec.schedule.decayAfter': [1] });
  expect(found).toEqual({
    trial: 0,
    mAP: 1,
    settings: { 'spec.loss.alpha': 1, 'spec.schedule.decayAfter': [3] },
  });
});

test('a search without a figure finds nothing', async () => {
  const failing = async (runs: readonly TrialRun[]) =>
    runs.map((run) => ({ ...run, mAP: null, seconds: null, sentence: 'no' }));
  expect(await search(rungsOf('random', 2, 3), [{}, {}], failing)).toBeNull();
});

describe('the hold-out', () => {
  // Classes of 10, 2, 1 and 0 images, mixed.
  const labels = Int32Array.from([0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]);
  const count = (held: readonly boolean[], label: number) =>
    held.filter((each, image) => each && labels[image] === label).length;

  test('has its share of each class, and leaves an image of each', () => {
    const held = drawHoldOut(labels, 4, 0.2, 0);
    expect([0, 1, 2, 3].map((label) => count(held, label))).toEqual([2, 1, 0, 0]);
    expect(count(drawHoldOut(labels, 4, 0.99, 0), 0)).toBe(9);
    expect(count(drawHoldOut(labels, 4, 0.01, 0), 0)).toBe(1);
  });

  test('depends on the seed', () => {
    const draw = (seed: number) => drawHoldOut(labels, 4, 0.3, seed).join();
    expect(draw(7)).toBe(draw(7));
    expect(new Set([0, 1, 2, 3, 4].map(draw)).size).toBeGreaterThan(1);
  });
});
