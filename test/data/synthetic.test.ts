import { createHash } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDataset } from '../../src/data/check.js';
import { loadDataset } from '../../src/data/dataset.js';
import { decodeImage } from '../../src/data/pixels.js';
import { KeyedRandom } from '../../src/data/random.js';
import { makeSyntheticDataset } from '../../src/data/synthetic/make.js';
import { paintScene } from '../../src/data/synthetic/scene.js';
import { defaultSyntheticSettings, type SyntheticSettings } from '../../src/data/synthetic/settings.js';
import { markedParts, markingsOf, maximumSpecies } from '../../src/data/synthetic/species.js';
import { colorHistogram, histogramRetrieval } from '../../src/retrieval/histogram.js';
import { temporaryFolder } from './support.js';

const small: SyntheticSettings = { species: 3, trainPerSpecies: 4, testPerSpecies: 2, size: 32, seed: 7 };

async function fileTimes(root: string): Promise<string[]> {
  const files = await readdir(root, { recursive: true });
  return Promise.all(files.map(async (file) => `${file} ${(await stat(path.join(root, file))).mtimeMs}`));
}

describe('a painted scene', () => {
  // The pixels are part of what a seed means, on every machine: a change here needs a new dataset version.
  test.each([
    [0, 0, 0, 96, '3d84e8bf1e04a5a0e3ee35303d78b6de466ed65b9ee8406e401e300fb71d8812'],
    [0, 19, 2 ** 31, 96, 'c6698f40e7b51e54e331c9341411ae654a704d72cae103eff9f18e0384de39a2'],
    [1, 7, 3, 64, 'cbde0f8e816d89a361288e8b990ce6937debf8c8c7bacd1d4b5be5812932a8d4'],
    [2 ** 53 - 1, 12, 99, 33, '8b1c77715192f539da5b34fcbc436b7f18078babb63eead379334bc67fa3d942'],
  ])(
    'of seed %d, species %d, picture %d at %d pixels has the frozen SHA-256',
    (seed, species, picture, size, frozen) => {
      const pixels = paintScene(new KeyedRandom(seed), species, picture, size);
      expect(pixels).toHaveLength(size * size * 3);
      expect(createHash('sha256').update(pixels).digest('hex')).toBe(frozen);
    },
  );

  test('shows the same at any size', () => {
    const mean = (size: number) => {
      const pixels = paintScene(new KeyedRandom(3), 5, 1, size);
      return pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    };
    expect(Math.abs(mean(48) - mean(144))).toBeLessThan(1.5);
  });
});

test('any two species agree in the colour of at most one part', () => {
  for (let first = 0; first < maximumSpecies; first += 1) {
    for (let second = 0; second < first; second += 1) {
      const [left, right] = [markingsOf(first), markingsOf(second)];
      expect(markedParts.filter((part) => left[part] === right[part]).length).toBeLessThanOrEqual(1);
    }
  }
});

test('counting colours does not tell species apart: mAP of neighbours by colour histogram is at most .15', async () => {
  const random = new KeyedRandom(defaultSyntheticSettings.seed);
  const species = [...Array(maximumSpecies).keys()];
  const paint = (perSpecies: number, firstPicture: number) =>
    species.flatMap((bird) =>
      Array.from({ length: perSpecies }, (_, picture) =>
        colorHistogram(paintScene(random, bird, firstPicture + picture, 64)),
      ),
    );
  const labels = (perSpecies: number) =>
    Int32Array.from(species.flatMap((bird) => Array(perSpecies).fill(bird)));
  const { mAP } = await histogramRetrieval({
    databaseHistograms: paint(30, 0),
    databaseLabels: labels(30),
    queryHistograms: paint(5, 2 ** 31),
    queryLabels: labels(5),
  });
  expect(mAP).toBeLessThanOrEqual(0.15);
});

describe('makeSyntheticDataset', () => {
  test('writes a whole dataset in CUB layout', async () => {
    const root = path.join(await temporaryFolder(), 'new/birds');
    const progress: string[] = [];
    await makeSyntheticDataset(root, small, (done, total) => progress.push(`${done}/${total}`));
    expect(await checkDataset(root, { deep: true, subset: false })).toMatchObject({
      classes: 3,
      train: 12,
      test: 6,
      smallestClass: { images: 4 },
      largestClass: { images: 4 },
      loneClasses: [],
      damagedImages: [],
    });
    expect((await loadDataset(root)).classNames[1]).toBe('002.Golden_crowned_Finch');
    expect(progress.at(0)).toBe('1/18');
    expect(progress.at(-1)).toBe('18/18');
  });

  test('writes pictures whose JPEG is close to what was painted, in the split their number says', async () => {
    const root = await temporaryFolder();
    await makeSyntheticDataset(root, small);
    const { imagesRoot, train, test: queries } = await loadDataset(root);
    const difference = async (file: string, species: number, picture: number) => {
      const decoded = await decodeImage(path.join(imagesRoot, file), small.size);
      const painted = paintScene(new KeyedRandom(small.seed), species, picture, small.size);
      return (
        painted.reduce((sum, value, index) => sum + Math.abs(value - decoded[index]!), 0) / painted.length
      );
    };
    expect(await difference(train.paths[6]!, 1, 2)).toBeLessThan(8);
    expect(await difference(queries.paths[5]!, 2, 2 ** 31 + 1)).toBeLessThan(8);
  });

  test('gives the same files twice, and others for another seed', async () => {
    const fingerprints = [];
    for (const seed of [7, 7, 8]) {
      const root = await temporaryFolder();
      await makeSyntheticDataset(root, { ...small, seed });
      fingerprints.push((await loadDataset(root)).fingerprint);
    }
    expect(fingerprints[0]).toBe(fingerprints[1]);
    expect(fingerprints[2]).not.toBe(fingerprints[0]);
  });

  test('leaves a complete dataset alone', async () => {
    const root = await temporaryFolder();
    await makeSyntheticDataset(root, small);
    const before = await fileTimes(root);
    await makeSyntheticDataset(root, small);
    expect(await fileTimes(root)).toEqual(before);
  });

  test('finishes what an interruption left half done', async () => {
    const root = await temporaryFolder();
    const interrupted = makeSyntheticDataset(root, small, (done) => {
      if (done === 9) throw new Error('interrupted');
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    await makeSyntheticDataset(root, small);
    expect(await checkDataset(root, { deep: true, subset: false })).toMatchObject({
      train: 12,
      test: 6,
      damagedImages: [],
    });
  });

  test('writes another synthetic dataset anew without leftovers', async () => {
    const root = await temporaryFolder();
    await makeSyntheticDataset(root, small);
    await makeSyntheticDataset(root, { ...small, species: 2 });
    expect(await readdir(path.join(root, 'images'))).toHaveLength(2);
    expect(await checkDataset(root, { deep: false, subset: false })).toMatchObject({
      classes: 2,
      train: 8,
      test: 4,
    });
  });

  test('refuses a folder with something else in it and leaves it as it is', async () => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'thesis.txt'), 'chapter 1');
    await expect(makeSyntheticDataset(root, small)).rejects.toMatchObject({
      code: 'DATASET_FOLDER_OCCUPIED',
      message: expect.stringContaining('thesis.txt'),
    });
    expect(await readdir(root)).toEqual(['thesis.txt']);
  });

  test('refuses a folder that another process writes (RUN_LOCKED), and finds what that has written', async () => {
    const root = path.join(await temporaryFolder(), 'birds');
    let second: Promise<unknown> | null = null;
    await makeSyntheticDataset(root, small, () => {
      second ??= makeSyntheticDataset(root, small).catch((error) => error);
    });
    expect(await second).toMatchObject({
      code: 'RUN_LOCKED',
      message: expect.stringContaining(`${root} is in use by process ${process.pid} on `),
    });
    expect(await readdir(root)).not.toContain('synthetic.lock');
    let drawn = 0;
    await makeSyntheticDataset(root, small, () => drawn++);
    expect(drawn).toBe(0);
  });

  test('a folder that cannot be written is named (DATASET_FOLDER_UNWRITABLE)', async () => {
    const file = path.join(await temporaryFolder(), 'file');
    await writeFile(file, '');
    const inside = path.join(file, 'birds');
    await expect(makeSyntheticDataset(inside, small)).rejects.toMatchObject({
      message: expect.stringContaining(inside),
      exitCode: 73,
    });
    await expect(makeSyntheticDataset('/proc/birds', small)).rejects.toMatchObject({
      code: 'DATASET_FOLDER_UNWRITABLE',
      message: '/proc/birds cannot be written (ENOENT)',
    });
  });

  test('refuses a file where the folder should be', async () => {
    const file = path.join(await temporaryFolder(), 'birds');
    await writeFile(file, '');
    await expect(makeSyntheticDataset(file, small)).rejects.toMatchObject({
      code: 'DATASET_FOLDER_OCCUPIED',
    });
  });

  test.each<[string, Partial<SyntheticSettings>]>([
    ['species', { species: 21 }],
    ['species', { species: 1 }],
    ['trainPerSpecies', { trainPerSpecies: 0 }],
    ['testPerSpecies', { testPerSpecies: 0.5 }],
    ['size', { size: 8 }],
    ['seed', { seed: -1 }],
  ])('refuses an impossible %s: %j', async (name, change) => {
    await expect(makeSyntheticDataset('/nowhere', { ...small, ...change })).rejects.toMatchObject({
      code: 'DATASET_SETTINGS',
      message: expect.stringMatching(
        new RegExp(
          `^the synthetic dataset's ${name} is ${change[name as 'size']}, expected a whole number from `,
        ),
      ),
    });
  });
});
