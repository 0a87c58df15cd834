import { describe, expect, test } from 'vitest';
import type { TunedSettings } from '../../src/experiments/plan-grid.js';
import { methodVariants } from '../../src/experiments/variants.js';
import { parseTrainingRuns } from '../../src/run/read.js';
import { plan, resolve } from './support.js';

const names = (cells: readonly { readonly name: string }[]) => cells.map(({ name }) => name);

test('every run is planned once, whole tables of one seed before the next', () => {
  expect(names(plan({ bits: [12], seedCount: 2 }).cells)).toEqual([
    'fcaenet-12bit-seed5',
    'baseline-12bit-seed5',
    'lsh-12bit-seed5',
    'baseline-12bit-seed5-images',
    'fcaenet-12bit-seed6',
    'baseline-12bit-seed6',
    'lsh-12bit-seed6',
    'baseline-12bit-seed6-images',
  ]);
});

test('a run has its method, code length, seed and folder, and else the run file’s settings', () => {
  const [cell] = plan().cells;
  const { spec, metadata } = cell!.run;
  expect(metadata.name).toBe('fcaenet-8bit-seed5');
  expect(spec).toEqual(resolve(['spec.bits=8', 'spec.seed=5', 'spec.operation.runsDirectory=out/runs']).spec);
});

describe('equal images', () => {
  const epochs = (methods: Parameters<typeof methodVariants>[0], changes: readonly string[] = []) =>
    plan({ variants: methodVariants(methods), bits: [8], seedCount: 1, overrides: changes })
      .groups.filter(({ equality }) => equality === 'images')
      .map(({ variant, cells }) => [variant, cells[0]!.run.spec.schedule.epochs]);

  test('multiply the epochs by P / p', () => {
    expect(epochs(['fcaenet', 'baseline', 'srem', 'esrl', 'lsh'])).toEqual([
      ['fcaenet', 4],
      ['baseline', 12],
      ['srem', 6],
      ['esrl', 6],
      ['lsh', 0],
    ]);
  });

  test('are those of the method of the table that passes the most', () => {
    expect(epochs(['esrl', 'baseline'])).toEqual([
      ['esrl', 4],
      ['baseline', 8],
    ]);
  });

  test('are rounded, halves up', () => {
    expect(epochs(['fcaenet', 'srem'], ['spec.schedule.epochs=5'])).toEqual([
      ['fcaenet', 5],
      ['srem', 8],
    ]);
  });

  test('share the run with equal steps where the settings are the same', () => {
    const { groups } = plan({ bits: [8], seedCount: 1 });
    const of = (variant: string) =>
      groups.filter((group) => group.variant === variant).map(({ cells }) => cells[0]);
    expect(of('fcaenet')[0]).toBe(of('fcaenet')[1]);
    expect(of('lsh')[0]).toBe(of('lsh')[1]);
    expect(of('baseline')[0]).not.toBe(of('baseline')[1]);
  });
});

describe('a method with a schedule of its own', () => {
  // Of 2000 images in batches of 64: 40 iterations of 20 epochs, and 50 of 3.
  const overrides = ['spec.preset=paper', 'spec.dataset.kind=cub', 'spec.dataset.sampleSize=2000'];
  const paper = (methods: Parameters<typeof methodVariants>[0]) =>
    plan({
      variants: methodVariants(methods),
      bits: [12],
      seedCount: 1,
      equalities: null,
      overrides,
      resolve: parseTrainingRuns(
        'apiVersion: fcaenet.dev/v1\nkind: TrainingRun\nmetadata: { name: x }\nspec: { dataset: { path: d } }',
        'run.yaml',
      ),
    });

  test('is compared as it is too, and at the steps and images of the first', () => {
    const { groups, equalities } = paper(['fcaenet', 'adsh', 'lsh']);
    expect(equalities).toEqual(['none', 'steps', 'images']);
    const ofADSH = groups.filter(({ variant }) => variant === 'adsh');
    expect(
      ofADSH.map(({ cells: [cell], isOwnSchedule }) => [
        cell!.name,
        cell!.run.spec.schedule.epochs,
        isOwnSchedule,
      ]),
    ).toEqual([
      ['adsh-12bit-seed0', 3, true],
      ['adsh-12bit-seed0-steps', 16, false],
      ['adsh-12bit-seed0-images', 48, false],
    ]);
  });

  test('is the only reason to compare at no equality', () => {
    expect(paper(['fcaenet', 'baseline', 'lsh']).equalities).toEqual(['steps', 'images']);
    expect(paper(['lsh', 'sh']).equalities).toEqual(['steps', 'images']);
  });
});

describe('tuned settings', () => {
  const tuned: TunedSettings = {
    source: 'tune.json',
    method: 'baseline',
    bits: 12,
    settings: ['spec.schedule.learningRate=0.5', 'spec.loss.alpha=7'],
  };

  test('are those of the runs of their method and code length', () => {
    const found = plan({ tuned: [tuned] }).cells.filter(({ isTuned }) => isTuned);
    expect(found.map(({ run }) => [run.spec.method, run.spec.bits, run.spec.schedule.learningRate])).toEqual(
      Array.from({ length: 4 }, () => ['baseline', 12, 0.5]),
    );
  });

  test('count less than --set', () => {
    const cells = plan({ tuned: [tuned], overrides: ['spec.schedule.learningRate=0.25'] }).cells;
    const [cell] = cells.filter(({ isTuned }) => isTuned);
    expect(cell!.run.spec).toMatchObject({ schedule: { learningRate: 0.25 }, loss: { alpha: 7 } });
  });

  test('that no run uses are refused (EXPERIMENT_TUNED_UNUSED)', () => {
    expect(() => plan({ tuned: [{ ...tuned, bits: 24 }] })).toThrow(
      'tune.json was tuned for baseline at 24 bits, but no run of the table has that method and code length',
    );
  });
});

test.each(['spec.bits=9', 'spec.method=lsh', 'metadata.name=x', 'spec.operation.runsDirectory=r'])(
  '--set %s, which the table sets itself, is refused (EXPERIMENT_SETTING_FIXED)',
  (override) => {
    expect(() => plan({ overrides: [override] })).toThrow(
      `--set ${override.split('=')[0]} has no effect here, because the command sets it for each run`,
    );
  },
);

test('seeds end at the largest one (EXPERIMENT_SEEDS)', () => {
  const overrides = [`spec.seed=${Number.MAX_SAFE_INTEGER}`];
  expect(plan({ overrides, seedCount: 1 }).seeds).toEqual([Number.MAX_SAFE_INTEGER]);
  expect(() => plan({ overrides, seedCount: 2 })).toThrow(
    '--seeds 2 goes on from spec.seed 9007199254740991, but the last seed must be at most 9007199254740991',
  );
});
