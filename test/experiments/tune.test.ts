import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Dataset, hexOf, listDataset, loadDataset } from '../../src/data/dataset.js';
import type { Cell } from '../../src/experiments/cell.js';
import { drawHoldOut } from '../../src/experiments/tune/hold-out.js';
import { planTuning, type TuneOptions, tune } from '../../src/experiments/tune/tune.js';
import { writeHoldOut } from '../../src/experiments/tune/write-hold-out.js';
import { overridesOf, readTunedSettings } from '../../src/experiments/tuned-file.js';
import { acquireLock } from '../../src/run/lock.js';
import {
  type DatasetFiles,
  smallAircraft,
  smallFood101,
  smallNABirds,
  smallVegFru,
  writeFiles,
} from '../data/layout-files.js';
import { failure } from '../kit/failure.js';
import { resolve, resultOf, writeFinished } from './support.js';

let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fcaenet-tune-'));
  output = join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each([
  ['NABirds', smallNABirds],
  ['FGVC-Aircraft', smallAircraft],
  ['VegFru', smallVegFru],
  ['Food-101', smallFood101],
])('the hold-out of %s', (_, files: () => DatasetFiles) => {
  const images = ({ train, test: held }: Dataset) =>
    [train, held].map(({ paths, labels, digests }) =>
      paths.map((path, image) => [path, labels[image], hexOf(digests, image)]),
    );

  test('has the images of the train split with their classes and content, and none of the test split', async () => {
    await writeFiles(folder, files());
    const whole = await loadDataset(folder);
    const held = drawHoldOut(whole.train.labels, whole.classNames.length, 0.3, 0);
    expect(held).toContain(true);
    for (const repeated of [1, 2]) {
      writeHoldOut(output, whole, held);
      const made = await loadDataset(output);
      expect({ repeated, classNames: made.classNames, truncated: made.truncatedPictures }).toEqual({
        repeated,
        classNames: whole.classNames,
        truncated: whole.truncatedPictures,
      });
      const [all] = images(whole);
      expect(images(made)).toEqual([
        all!.filter((_, image) => !held[image]),
        all!.filter((_, image) => held[image]),
      ]);
    }
  });
});

/** Three classes of four training and one test image. */
const cub = (perClass = 4): DatasetFiles => {
  const all = Array.from({ length: 3 * (perClass + 1) }, (_, image) => ({
    id: image + 1,
    label: (image % 3) + 1,
    train: image < 3 * perClass ? 1 : 0,
  }));
  const lines = (line: (image: (typeof all)[number]) => string) =>
    all.map((each) => `${line(each)}\n`).join('');
  return {
    'images.txt': lines(({ id }) => `${id} ${id}.jpg`),
    'image_class_labels.txt': lines(({ id, label }) => `${id} ${label}`),
    'train_test_split.txt': lines(({ id, train }) => `${id} ${train}`),
    'classes.txt': '1 one\n2 two\n3 three\n',
    ...Object.fromEntries(all.map(({ id }) => [`images/${id}.jpg`, `picture ${id}`])),
  };
};

const data = () => join(folder, 'data');
const options = (changes: Partial<TuneOptions> = {}, set: readonly string[] = []): TuneOptions => {
  const file = (settings: readonly string[]) =>
    resolve([`spec.dataset.path=${data()}`, 'spec.dataset.sampleSize=10', ...set, ...settings]);
  return {
    ...{ run: file([]), resolve: file, search: 'random', trials: 3, seed: 0, holdOut: 0.25 },
    ...{ vary: null, output, ...changes },
  };
};

/** Runs of trials, as if they had been carried out: their settings are those of tune.json. */
function finishTrials(figures: readonly number[]): void {
  const { trials } = JSON.parse(readFileSync(join(output, 'tune.json'), 'utf8'));
  for (const { trial, rung, iterations, settings } of trials) {
    const name = `trial${String(trial).padStart(3, '0')}-rung${rung + 1}`;
    const run = resolve([
      ...[`spec.dataset.path=${join(output, 'hold-out')}`, 'spec.dataset.sampleSize=9'],
      ...[`spec.operation.runsDirectory=${join(output, 'runs')}`, `metadata.name=${name}`],
      ...[`spec.schedule.iterations=${iterations}`, ...overridesOf(settings)],
    ]);
    const cell: Cell = { name, run, isTuned: false };
    writeFinished(cell, resultOf(cell, figures[trial]!));
  }
}

const operation = () => [
  `spec.operation.cache.directory=${join(folder, 'cache')}`,
  'spec.operation.devices=none',
];
/** Settings with which no run can start: others on the network could join. */
const refused = () => [...operation(), 'spec.operation.listen=0.0.0.0:0'];

/** Writes tune.json with the trials that a search has planned: a search whose runs cannot start fails in each. */
async function planTrials(): Promise<void> {
  await expect(tune(options({}, refused()))).rejects.toMatchObject({ code: 'EXPERIMENT_NO_TRIAL' });
}

/** The directory of a trial's run in the first rung. */
const runOf = (trial: number) => join(output, 'runs', `trial00${trial}-rung1`);

describe('a search', () => {
  test('takes finished trials, and chooses the best', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    finishTrials([0.2, 0.4, 0.3]);
    await tune(options());
    const document = JSON.parse(readFileSync(join(output, 'tune.json'), 'utf8'));
    expect(document).toMatchObject({
      method: 'fcaenet',
      holdOut: { train: 9, heldOut: 3 },
      chosen: { trial: 1, mAP: 0.4 },
    });
    expect(document.chosen.settings).toEqual(document.trials[1].settings);
    expect(readTunedSettings(join(output, 'tune.json')).settings).toEqual(
      overridesOf(document.chosen.settings),
    );
    const { train, test: held } = await listDataset(join(output, 'hold-out'));
    expect([...train.paths, ...held.paths].sort()).toEqual(
      Array.from({ length: 12 }, (_, image) => `${image + 1}.jpg`).sort(),
    );
  });

  test('leaves out a trial that failed', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    finishTrials([0.2, 0.4, 0.3]);
    rmSync(runOf(1), { recursive: true });
    await tune(options({}, refused()));
    expect(JSON.parse(readFileSync(join(output, 'tune.json'), 'utf8')).chosen).toMatchObject({ trial: 2 });
  });

  test('without a single result ends with a sentence (EXPERIMENT_NO_TRIAL)', async () => {
    await writeFiles(data(), cub());
    await expect(tune(options({}, refused()))).rejects.toThrow(
      `no trial of the search in ${output} has a result, but one needs it to choose; the first failed: `,
    );
  });

  test('does not choose without a trial that another process carries out', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    finishTrials([0.2, 0.4, 0.3]);
    rmSync(join(runOf(1), 'result.json'));
    const lock = acquireLock(join(runOf(1), 'lock'), runOf(1), 30);
    await expect(tune(options({}, operation()))).rejects.toEqual(
      failure('RUN_LOCKED', /trial001-rung1 is in use by process/),
    );
    lock.release();
    expect(JSON.parse(readFileSync(join(output, 'tune.json'), 'utf8')).chosen).toBeNull();
  });

  test('does not choose without a trial whose result is damaged, or of other images', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    finishTrials([0.2, 0.4, 0.3]);
    await tune(options());
    const chosen = readFileSync(join(output, 'tune.json'), 'utf8');
    for (const [damage, sentence] of [
      [{ mAP: null }, /trial001-rung1.*its field mAP is null/],
      [{ dataset: { path: 'data', fingerprint: 'f', classes: 3, train: 9, test: 3 } }, /read other images/],
    ] as const) {
      const file = join(runOf(1), 'result.json');
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...damage }));
      await expect(tune(options())).rejects.toEqual(failure('EXPERIMENT_TRIAL_UNUSABLE', sentence));
      expect(readFileSync(join(output, 'tune.json'), 'utf8')).toBe(chosen);
      finishTrials([0.2, 0.4, 0.3]);
    }
  });

  test('with other options in the same folder is refused (EXPERIMENT_SEARCH_DIFFERS)', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    await expect(tune(options({ seed: 3, trials: 4 }))).rejects.toThrow(
      `${join(output, 'tune.json')} is of a search with other options: trials (3, now 4), seed (0, now 3); choose another folder`,
    );
  });

  test('with another run file in the same folder is refused, and keeps what was chosen', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    finishTrials([0.2, 0.4, 0.3]);
    await tune(options());
    const chosen = readFileSync(join(output, 'tune.json'), 'utf8');
    await expect(tune(options({}, ['spec.schedule.batchSize=5']))).rejects.toEqual(
      failure(
        'EXPERIMENT_SEARCH_DIFFERS',
        /trial000-rung1 contains a run with other settings than are asked for: spec\.schedule\.batchSize \(10, now 5\); choose/,
      ),
    );
    expect(readFileSync(join(output, 'tune.json'), 'utf8')).toBe(chosen);
  });

  test('whose hold-out cannot be written is refused with the folder', async () => {
    await writeFiles(data(), cub());
    mkdirSync(output);
    writeFileSync(join(output, 'hold-out'), '');
    await expect(tune(options())).rejects.toEqual(
      failure('EXPERIMENT_OUTPUT_UNUSABLE', /out cannot be written \(E[A-Z]+\), but needs room for files/),
    );
  });

  test('that was copied with its links followed is refused with the file (EXPERIMENT_HOLD_OUT_COPIED)', async () => {
    await writeFiles(data(), cub());
    await planTrials();
    const copy = join(folder, 'copy');
    cpSync(output, copy, { recursive: true, dereference: true });
    await expect(tune(options({ output: copy }))).rejects.toEqual(
      failure(
        'EXPERIMENT_HOLD_OUT_COPIED',
        `${join(copy, 'hold-out', 'images')} is no link, but must be one to the images of the dataset: a copy of the folder may have followed it; delete it, and the same command makes the link again`,
      ),
    );
    rmSync(join(copy, 'hold-out', 'images'), { recursive: true });
    await expect(tune(options({ output: copy }, refused()))).rejects.toMatchObject({
      code: 'EXPERIMENT_NO_TRIAL',
    });
  });

  test('of settings without effect is refused (EXPERIMENT_NOTHING_TO_TUNE)', async () => {
    await expect(tune(options({}, ['spec.method=lsh']))).rejects.toThrow(
      'lsh trains no network, but a search varies settings of training',
    );
    await expect(tune(options({ vary: ['alpha'] }, ['spec.method=baseline']))).rejects.toThrow(
      '--vary alpha has no effect on baseline, which needs one of learning-rate, schedule',
    );
  });

  test('is planned without a run, a file or a folder', async () => {
    await writeFiles(data(), cub());
    const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await planTuning(
      options({ search: 'halving' }, ['spec.dataset.path=nowhere', `spec.dataset.path=${data()}`]),
      10,
    );
    const lines = said.mock.calls.map(([line]) => JSON.parse(String(line)));
    said.mockRestore();
    const planned = { message: 'planned run', state: 'absent', seconds: expect.any(Number) };
    // Two rungs: three trials of one iteration, and the best one of three.
    expect(lines).toMatchObject([
      { ...planned, run: 'trial000-rung1', steps: 4 },
      { ...planned, run: 'trial001-rung1', steps: 4 },
      { ...planned, run: 'trial002-rung1', steps: 4 },
      { ...planned, run: 'trial000-rung2', steps: 12 },
      { message: 'planned', runs: 4, missing: 4 },
    ]);
    expect(existsSync(output)).toBe(false);
  });

  test('on classes of one image each is refused (EXPERIMENT_HOLD_OUT)', async () => {
    await writeFiles(data(), cub(1));
    await expect(tune(options())).rejects.toThrow(
      `no class of ${data()} has two training images, but a class needs two to hold one out`,
    );
  });
});
