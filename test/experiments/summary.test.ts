import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Cell } from '../../src/experiments/cell.js';
import type { CellState } from '../../src/experiments/cell-state.js';
import { figureOfTable1 } from '../../src/experiments/paper-figures.js';
import {
  carryOutExperiment,
  type Experiment,
  writeExperimentManifests,
} from '../../src/experiments/show-experiment.js';
import { publishedWith, summarise } from '../../src/experiments/summary.js';
import { tableCsv } from '../../src/experiments/table-csv.js';
import { writeTable } from '../../src/experiments/table-files.js';
import { tableMarkdown } from '../../src/experiments/table-markdown.js';
import { failure } from '../kit/failure.js';
import { plan, resultOf, writeFinished } from './support.js';

const heading = {
  title: 'Methods on run',
  runFile: 'run.yaml',
  overrides: ['spec.dataset.path=data'],
  version: '1.2.3',
  paperTable: 'Table 1',
};
const cub = { path: 'd', fingerprint: 'a'.repeat(64), classes: 200, train: 5994, test: 5794 };
const table = plan({ bits: [12], seedCount: 3, equalities: ['steps'] });

/** Figures by seed; the second method's last seed failed. */
const figures: Readonly<Record<string, number>> = {
  'fcaenet-12bit-seed5': 0.5,
  'fcaenet-12bit-seed6': 0.6,
  'fcaenet-12bit-seed7': 0.7,
  'baseline-12bit-seed5': 0.4,
  'baseline-12bit-seed6': 0.2,
  'lsh-12bit-seed5': 0.1,
  'lsh-12bit-seed6': 0.1,
  'lsh-12bit-seed7': 0.1,
};
const states = new Map(
  table.cells.map((cell): [Cell, CellState] => {
    const mAP = figures[cell.name];
    return [
      cell,
      mAP === undefined
        ? { kind: 'failed', sentence: 'no memory | left' }
        : { kind: 'finished', result: resultOf(cell, mAP, { dataset: cub }) },
    ];
  }),
);
const summary = summarise(table, states, figureOfTable1);
const place = (variant: string) => summary.places.find((each) => each.variant === variant)!;

test('mean and deviation are over the seeds that have a result', () => {
  expect(place('fcaenet').mAP!.mean).toBeCloseTo(0.6, 12);
  expect(place('fcaenet').mAP!.deviation).toBeCloseTo(0.1, 12);
  expect(place('baseline')).toMatchObject({ finished: 2, seeds: 3, images: 240, steps: 24, seconds: 60 });
  expect(place('baseline').mAP!.mean).toBeCloseTo(0.3, 12);
});

test('differences are paired by the seeds that both have', () => {
  expect(place('fcaenet').difference).toBeNull();
  expect(place('baseline').difference).toMatchObject({ pairs: 2, interval: null });
  expect(place('baseline').difference!.mean).toBeCloseTo(0.25, 12);
  const { pairs, mean, interval } = place('lsh').difference!;
  expect(pairs).toBe(3);
  expect(mean).toBeCloseTo(0.5, 12);
  expect(interval![1] - mean).toBeCloseTo((4.302653 * 0.1) / Math.sqrt(3), 5);
});

describe('the paper’s figure', () => {
  test('stands beside results on its dataset', () => {
    expect(summary.dataset?.published).toBe('cub');
    expect(place('fcaenet').paper).toBeCloseTo(0.3476, 10);
  });

  test('is left out for other counts, as of a part of the dataset', () => {
    expect(publishedWith({ classes: 50, train: 1500, test: 1452 })).toBeNull();
  });

  test('is left out where the schedule is not the method’s own', () => {
    const both = plan({ bits: [12], seedCount: 1 });
    const all = new Map(
      both.cells.map((cell): [Cell, CellState] => [
        cell,
        { kind: 'finished', result: resultOf(cell, 0.5, { dataset: cub }) },
      ]),
    );
    const { places } = summarise(both, all, figureOfTable1);
    expect(places.filter(({ equality }) => equality === 'images').map(({ paper }) => paper)).toEqual([
      0.3476,
      null,
      0.0226,
    ]);
  });
});

test('table.md shows figures, differences, cost and failures', () => {
  const text = tableMarkdown(heading, table, summary);
  expect(text).toContain('Run file: `run.yaml --set spec.dataset.path=data`, seeds 5, 6, 7, fcaenet 1.2.3.');
  expect(text).toContain('8 of 9 runs have a result.');
  expect(text).toContain('| FCAENet (fcaenet, pairs) | 60.00 ± 10.00 (paper 34.76) |');
  expect(text).toContain('| Baseline (baseline, pairs) | 30.00 ± 14.14 (2 of 3 seeds, paper 31.19) |');
  expect(text).toContain('| Baseline (baseline, pairs) | +25.00 (2 pairs) |');
  expect(text).toContain('| LSH (lsh, unsupervised) | +50.00 [+25.16, +74.84] |');
  expect(text).toContain('| FCAENet (fcaenet, pairs) | 240 / 24 / 60 |');
  expect(text).toContain('## Failed runs\n\n- baseline-12bit-seed7: no memory | left');
});

test('table.csv has a line for each place, and no value where there is none', () => {
  const [names, ...lines] = tableCsv(summary)
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  expect(lines.map(([row]) => row)).toEqual(['fcaenet', 'baseline', 'lsh']);
  const of = (line: number, name: string) => lines[line]![names!.indexOf(name)];
  expect(of(0, 'mAP')).toBe(String(summary.places[0]!.mAP!.mean));
  expect(of(0, 'difference')).toBe('');
  expect(of(1, 'differenceLow')).toBe('');
  expect(Number(of(2, 'differenceLow'))).toBeCloseTo(0.2516, 4);
  expect(of(0, 'paperMAP')).toBe('0.3476');
});

describe('in a folder', () => {
  let output: string;
  beforeEach(() => {
    output = mkdtempSync(join(tmpdir(), 'fcaenet-table-'));
  });
  afterEach(() => rmSync(output, { recursive: true }));

  test('table.json has every run with its digests', () => {
    writeTable(join(output, 'new'), heading, table, summary);
    const json = JSON.parse(readFileSync(join(output, 'new', 'table.json'), 'utf8'));
    expect(json).toMatchObject({ runFile: 'run.yaml', seeds: [5, 6, 7], finished: 8, runs: 9 });
    expect(json.places[1].runs[2]).toMatchObject({ seed: 7, state: 'failed', sentence: 'no memory | left' });
    expect(json.places[0].runs[0].weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('that cannot be written ends with a sentence (EXPERIMENT_OUTPUT_UNUSABLE)', () => {
    writeFileSync(join(output, 'file'), '');
    expect(() => writeTable(join(output, 'file', 'x'), heading, table, summary)).toThrow(
      `the folder ${join(output, 'file', 'x')} cannot be written (ENOTDIR), but needs room for files and runs`,
    );
  });

  /** A table of one seed at 12 bits in the folder. */
  const small = (): Experiment => ({
    name: 'table',
    heading,
    plan: plan({ bits: [12], seedCount: 1, equalities: ['steps'], output }),
    paperFigure: figureOfTable1,
    output,
  });

  test('a finished table is written without dataset and runs, and a failed run ends it (EXPERIMENT_RUNS_FAILED)', async () => {
    const experiment = small();
    const [first, ...others] = experiment.plan.cells as [Cell, ...Cell[]];
    writeFinished(first, resultOf(first, 0.5, { mAP: null }));
    for (const cell of others) writeFinished(cell);
    await expect(carryOutExperiment(experiment)).rejects.toMatchObject({
      code: 'EXPERIMENT_RUNS_FAILED',
      exitCode: 1,
      message: expect.stringContaining('1 of 3 runs of the table failed, which is written to'),
    });
    expect(readFileSync(join(output, 'table.md'), 'utf8')).toContain('2 of 3 runs have a result.');
    writeFinished(first);
    await carryOutExperiment(experiment);
    expect(readFileSync(join(output, 'table.md'), 'utf8')).toContain('3 of 3 runs have a result.');
  });

  test.each(['a run', 'a kept result'])(
    'with %s of other settings the table there is left as it is, and nothing begins (EXPERIMENT_OUTPUT_OTHER)',
    async (what) => {
      const experiment = small();
      for (const cell of experiment.plan.cells) writeFinished(cell);
      await carryOutExperiment(experiment);
      const before = readFileSync(join(output, 'table.md'), 'utf8');
      if (what === 'a kept result') rmSync(join(output, 'runs'), { recursive: true });
      const overrides = ['spec.schedule.epochs=7'];
      const other = {
        ...experiment,
        plan: plan({ bits: [12], seedCount: 1, equalities: ['steps'], output, overrides }),
      };
      const refusal = failure(
        'EXPERIMENT_OUTPUT_OTHER',
        /^.* is left as it is, because 2 of 3 runs of this table are there with other settings; the first: .*spec\.schedule\.epochs \(4, now 7\); choose another folder with --output/,
      );
      for (const reports of [false, true]) {
        await expect(carryOutExperiment(other, reports)).rejects.toEqual(refusal);
      }
      await expect(writeExperimentManifests(other, join(output, 'manifests'))).rejects.toEqual(refusal);
      expect(readFileSync(join(output, 'table.md'), 'utf8')).toBe(before);
      expect(existsSync(join(output, 'manifests'))).toBe(false);
    },
  );

  test('with runs of other data under other names it is left as it is (EXPERIMENT_OUTPUT_OTHER)', async () => {
    const experiment = small();
    for (const cell of experiment.plan.cells) writeFinished(cell);
    await carryOutExperiment(experiment);
    const overrides = ['spec.dataset.path=elsewhere'];
    const other = {
      ...experiment,
      plan: plan({ bits: [24], seedCount: 1, equalities: ['steps'], output, overrides }),
    };
    const refusal = failure(
      'EXPERIMENT_OUTPUT_OTHER',
      /is left as it is, because .*run\.yaml is of a run with other data: spec\.dataset\.path \("data", now "elsewhere"\); choose another folder with --output$/,
    );
    await expect(carryOutExperiment(other, true)).rejects.toEqual(refusal);
    await expect(writeExperimentManifests(other, join(output, 'manifests'))).rejects.toEqual(refusal);
  });

  describe('manifests', () => {
    const written = async (experiment: Experiment) => {
      const folder = join(output, 'manifests');
      await writeExperimentManifests(experiment, folder);
      return folder;
    };
    const published = (path: string): Experiment => ({
      ...small(),
      plan: plan({
        bits: [12],
        seedCount: 1,
        equalities: ['steps'],
        output,
        overrides: ['spec.dataset.kind=cub', `spec.dataset.path=${path}`],
      }),
    });

    test('of other data are left as they are (EXPERIMENT_OUTPUT_OTHER)', async () => {
      await written(published('/data/one'));
      await expect(written(published('/data/other'))).rejects.toEqual(
        failure(
          'EXPERIMENT_OUTPUT_OTHER',
          /manifests is left as it is, because .*spec\.dataset\.path \("\/data\/one", now "\/data\/other"\); choose another folder with --manifests, or delete this one$/,
        ),
      );
      await written(published('/data/one'));
    });

    test.each(['hi', 'resources: [other]', 'a: [', ''])(
      'do not go into a folder with a kustomization that is none of a table: %j',
      async (text) => {
        mkdirSync(join(output, 'manifests'));
        writeFileSync(join(output, 'manifests', 'kustomization.yaml'), text);
        await expect(written(published('/data/one'))).rejects.toEqual(
          failure('EXPERIMENT_OUTPUT_OTHER', /its kustomization\.yaml is none of a table/),
        );
      },
    );
  });
});
