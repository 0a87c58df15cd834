import { beforeAll, describe, expect, test } from 'vitest';
import { checkDataset, differenceFromOfficial } from '../../src/data/check.js';
import { loadDataset } from '../../src/data/dataset.js';
import { smallAircraft, smallVegFru, writeFiles } from './layout-files.js';
import { jpegPicture } from './pictures.js';
import { smallCub, temporaryFolder, writeCub } from './support.js';

let picture: Buffer;
beforeAll(async () => {
  picture = await jpegPicture(1);
});

describe('checkDataset', () => {
  test('counts images and classes and names the classes of one image', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    expect(await checkDataset(root, { deep: false, subset: true })).toEqual({
      format: 'cub',
      classes: 3,
      train: 6,
      test: 2,
      trainBytes: 27,
      testBytes: 9,
      fingerprint: (await loadDataset(root)).fingerprint,
      smallestClass: { name: '009.Little Tern', images: 1 },
      largestClass: { name: '002.Auk', images: 3 },
      loneClasses: ['009.Little Tern'],
      unofficial: undefined,
      damagedImages: undefined,
      truncatedImages: undefined,
    });
  });

  test('decodes every image when asked to and lists the damaged ones', async () => {
    const root = await temporaryFolder();
    await writeCub(
      root,
      smallCub((id) => (id === 3 || id === 8 ? picture.subarray(0, 300) : picture)),
    );
    const progress = { listing: [] as number[], reading: [] as number[], decoding: [] as number[] };
    const { damagedImages } = await checkDataset(root, {
      deep: true,
      subset: true,
      onProgress: (what, done) => progress[what].push(done),
    });
    expect(damagedImages).toHaveLength(2);
    expect(damagedImages![0]).toContain('002.Auk/b.jpg');
    expect(damagedImages![1]).toContain('005.Wren/c.jpg');
    const eight = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(progress).toEqual({ listing: eight, reading: eight, decoding: eight });
  });

  // `dataset check` ends with it as DATASET_COUNTS_WRONG.
  test('says how the counts differ from the published ones, unless it is told that they may', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    expect((await checkDataset(root, { deep: false, subset: false })).unofficial).toBe(
      `${root} has 3 classes, 6 train and 2 test images, but CUB-200-2011 has 200, 5994 and 5794; --subset accepts a part of it, or your own pictures`,
    );
  });
});

describe('the published counts', () => {
  // Method, section 3: classes, train (= database), test (= queries).
  test.each([
    ['cub', 200, 5994, 5794],
    ['aircraft', 100, 6667, 3333],
    ['nabirds', 555, 23929, 24633],
    ['vegfru', 292, 29200, 116931],
    ['food101', 101, 75750, 25250],
  ] as const)('of %s are %i classes, %i train and %i test images', (format, classes, train, queries) => {
    const dataset = (missing: { classes?: number; train?: number; test?: number }) => ({
      format,
      root: 'data',
      classNames: new Array<string>(classes - (missing.classes ?? 0)).fill('name'),
      train: { paths: new Array<string>(train - (missing.train ?? 0)).fill('file') },
      test: { paths: new Array<string>(queries - (missing.test ?? 0)).fill('file') },
    });
    expect(differenceFromOfficial(dataset({}))).toBeUndefined();
    expect(differenceFromOfficial(dataset({ classes: 1 }))).toContain(`data has ${classes - 1} classes`);
    expect(differenceFromOfficial(dataset({ train: 1 }))).toContain(` ${train - 1} train`);
    expect(differenceFromOfficial(dataset({ test: -1 }))).toContain(` ${queries + 1} test`);
  });
});

describe('a picture whose file ends too early', () => {
  const half = () => picture.subarray(0, Math.floor(picture.length * 0.6));
  const deep = { deep: true, subset: true };

  test('is filled with grey in VegFru, and said', async () => {
    const root = await temporaryFolder();
    await writeFiles(
      root,
      smallVegFru((place) => (place === 2 ? half() : place === 5 ? picture.subarray(0, 9) : picture)),
    );
    const { damagedImages, truncatedImages } = await checkDataset(root, deep);
    expect(truncatedImages).toEqual([expect.stringContaining('leek/v_01_02_0001.jpg')]);
    expect(damagedImages).toEqual([expect.stringContaining('apple/f_01_01_0900.jpg')]);
  });

  test('is damaged elsewhere', async () => {
    const root = await temporaryFolder();
    await writeFiles(
      root,
      smallAircraft((place) => (place === 2 ? half() : picture)),
    );
    const { damagedImages, truncatedImages } = await checkDataset(root, deep);
    expect(truncatedImages).toEqual([]);
    expect(damagedImages).toEqual([expect.stringContaining('0900914.jpg')]);
  });
});
