import { rename, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import {
  type DatasetFiles,
  smallAircraft,
  smallFood101,
  smallNABirds,
  smallVegFru,
  writeFiles,
} from './layout-files.js';
import { smallCub, temporaryFolder, writeCub } from './support.js';

async function load(files: DatasetFiles, change: (files: DatasetFiles) => void = () => {}) {
  const root = await temporaryFolder();
  change(files);
  await writeFiles(root, files);
  return loadDataset(root);
}

function replaceIn(file: string, from: string, to: string) {
  return (files: DatasetFiles) => {
    expect(files[file]).toContain(from);
    files[file] = (files[file] as string).replaceAll(from, to);
  };
}

describe('NABirds', () => {
  test('numbers its classes, whose ids have gaps, from 0 in the order of the ids', async () => {
    const dataset = await load(smallNABirds());
    expect(dataset.format).toBe('nabirds');
    expect(dataset.classNames).toEqual([
      'Common Eider (Adult male)',
      'Oak Titmouse',
      'Dark-eyed Junco (White-winged)',
    ]);
    expect([...dataset.train.labels]).toEqual([1, 0, 2, 2]);
    expect([...dataset.test.labels]).toEqual([1, 0]);
    expect(dataset.train.paths[1]).toBe('0295/0000d9fc4e024c06a0afa55cfb16b12b.jpg');
    expect([...dataset.train.byteCounts]).toEqual([1, 2, 3, 5]);
  });

  test('of official size has labels 0 to 554 for ids 295 to 1010', async () => {
    // 555 of the 716 ids, the first and the last among them.
    const ids = Array.from({ length: 716 }, (_, i) => 295 + i).filter((id) => id < 849 || id === 1010);
    expect(ids).toHaveLength(555);
    const uuid = (i: number) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    // Both splits need an image: the last class has one in each. Listed with the ids falling.
    const images = [...ids.toReversed(), 1010].map((classId, i) => ({ id: uuid(i), classId }));
    const lines = (line: (image: (typeof images)[number], i: number) => string) =>
      images.map((image, i) => `${line(image, i)}\n`).join('');
    const dataset = await load({
      'images.txt': lines(({ id, classId }) => `${id} ${classId}/${id}.jpg`),
      'image_class_labels.txt': lines(({ id, classId }) => `${id} ${classId}`),
      'train_test_split.txt': lines(({ id }, i) => `${id} ${i < 555 ? 1 : 0}`),
      'classes.txt': Array.from({ length: 1011 }, (_, id) => `${id} Node ${id}\n`).join(''),
      ...Object.fromEntries(images.map(({ id, classId }) => [`images/${classId}/${id}.jpg`, 'x'])),
    });
    expect([...dataset.train.labels]).toEqual(ids.map((_, label) => label).reverse());
    expect(dataset.classNames[554]).toBe('Node 1010');
  });
});

describe('FGVC-Aircraft', () => {
  test('keeps names with spaces, slashes and dashes whole, and labels them in the order of variants.txt', async () => {
    const dataset = await load(smallAircraft());
    expect(dataset.format).toBe('aircraft');
    expect(dataset.classNames).toEqual(['DC-9-30 Super', 'F/A-18', 'Spitfire']);
    expect(dataset.train.paths).toEqual(['0056978.jpg', '1025794.jpg', '0900914.jpg', '2236959.jpg']);
    expect([...dataset.train.labels]).toEqual([2, 1, 0, 1]);
    expect(dataset.test.paths).toEqual(['1514522.jpg', '0747566.jpg']);
    expect([...dataset.test.labels]).toEqual([1, 0]);
  });

  test('is found from the folder around its data as well', async () => {
    const root = await temporaryFolder();
    await writeFiles(path.join(root, 'data'), smallAircraft());
    const [outer, inner] = await Promise.all([loadDataset(root), loadDataset(path.join(root, 'data'))]);
    expect(outer).toEqual(inner);
  });

  test.each<[string, (files: DatasetFiles) => void, string, string]>([
    [
      'a variant that variants.txt lacks',
      replaceIn('images_variant_test.txt', 'F/A-18', 'F/A-19'),
      'DATASET_ENTRY_UNKNOWN',
      'images_variant_test.txt, line 1',
    ],
    [
      'an image in both splits',
      replaceIn('images_variant_test.txt', '1514522', '1025794'),
      'DATASET_ENTRY_DUPLICATE',
      'images_variant_test.txt, line 1',
    ],
    [
      'an id that climbs out',
      replaceIn('images_variant_test.txt', '1514522', '../1514522'),
      'DATASET_PATH_UNSAFE',
      'images_variant_test.txt, line 1',
    ],
    [
      'an id without a variant',
      replaceIn('images_variant_test.txt', '1514522 F/A-18', '1514522'),
      'DATASET_LINE_MALFORMED',
      'images_variant_test.txt, line 1',
    ],
    [
      'a variant named twice',
      replaceIn('variants.txt', 'Spitfire', 'F/A-18'),
      'DATASET_ENTRY_DUPLICATE',
      'variants.txt, line 3',
    ],
    [
      'an empty list of test images',
      (files) => {
        files['images_variant_test.txt'] = '\n';
      },
      'DATASET_SPLIT_EMPTY',
      'images_variant_test.txt',
    ],
  ])('is refused with %s', async (_, change, code, named) => {
    await expect(load(smallAircraft(), change)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named),
    });
  });
});

describe('VegFru', () => {
  test('is read by the whole lists, without the validation split', async () => {
    const dataset = await load(smallVegFru());
    expect(dataset.format).toBe('vegfru');
    expect(dataset.classNames).toEqual(['Chinese_cabbage', 'leek', 'apple']);
    expect(dataset.train.paths).toEqual([
      'veg200_images/Chinese_cabbage/v_01_01_0001.jpg',
      'fru92_images/apple/f_01_01_0001.jpg',
      'veg200_images/leek/v_01_02_0001.jpg',
      'fru92_images/apple/f_01_01_0002.jpg',
    ]);
    expect([...dataset.train.labels]).toEqual([0, 2, 1, 2]);
    expect([...dataset.test.labels]).toEqual([1, 2]);
  });

  test('may have a space in a path: the label is behind the last one', async () => {
    const dataset = await load(smallVegFru(), (files) => {
      replaceIn('vegfru_list/vegfru_train.txt', 'leek', 'spring leek')(files);
      replaceIn('vegfru_list/vegfru_test.txt', 'leek', 'spring leek')(files);
      for (const file of ['v_01_02_0001.jpg', 'v_01_02_0900.jpg']) {
        files[`veg200_images/spring leek/${file}`] = files[`veg200_images/leek/${file}`]!;
      }
    });
    expect(dataset.classNames).toEqual(['Chinese_cabbage', 'spring leek', 'apple']);
  });

  test.each<[string, (files: DatasetFiles) => void, string, string]>([
    [
      'the list of one part in place of the whole one',
      (files) => {
        files['vegfru_list/vegfru_train.txt'] = files['veg200_lists/veg_train.txt']!;
      },
      'DATASET_LINE_MALFORMED',
      'vegfru_train.txt, line 1',
    ],
    [
      'labels that restart at 0 for the fruits',
      replaceIn('vegfru_list/vegfru_train.txt', ' 200', ' 0'),
      'DATASET_ENTRY_DUPLICATE',
      'vegfru_train.txt, line 2',
    ],
    [
      'a folder with two labels',
      replaceIn('vegfru_list/vegfru_test.txt', ' 200', ' 201'),
      'DATASET_ENTRY_DUPLICATE',
      'vegfru_test.txt, line 2',
    ],
    [
      'a label that is no number',
      replaceIn('vegfru_list/vegfru_test.txt', ' 200', ' apple'),
      'DATASET_LINE_MALFORMED',
      'vegfru_test.txt, line 2',
    ],
    [
      'a path that climbs out',
      replaceIn('vegfru_list/vegfru_test.txt', 'fru92_images/apple', 'fru92_images/..'),
      'DATASET_PATH_UNSAFE',
      'vegfru_test.txt, line 2',
    ],
  ])('is refused with %s', async (_, change, code, named) => {
    await expect(load(smallVegFru(), change)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named),
    });
  });
});

describe('Food-101', () => {
  test('adds the ending that its lists leave out, and labels in the order of classes.txt', async () => {
    const dataset = await load(
      smallFood101(),
      replaceIn('meta/classes.txt', 'apple_pie\nwaffles', 'waffles\napple_pie'),
    );
    expect(dataset.format).toBe('food101');
    expect(dataset.classNames).toEqual(['waffles', 'apple_pie']);
    expect(dataset.train.paths).toEqual([
      'apple_pie/1005649.jpg',
      'waffles/1009873.jpg',
      'apple_pie/1014775.jpg',
    ]);
    expect([...dataset.train.labels]).toEqual([1, 0, 1]);
    expect([...dataset.test.labels]).toEqual([0, 1]);
  });

  test.each<[string, (files: DatasetFiles) => void, string, string]>([
    [
      'an unknown class',
      replaceIn('meta/test.txt', 'waffles', 'waffle'),
      'DATASET_ENTRY_UNKNOWN',
      'meta/test.txt, line 1',
    ],
    [
      'a line without a class',
      replaceIn('meta/test.txt', 'waffles/', ''),
      'DATASET_LINE_MALFORMED',
      'meta/test.txt, line 1',
    ],
    [
      'an image in both splits',
      replaceIn('meta/test.txt', '1011328', '1005649'),
      'DATASET_ENTRY_DUPLICATE',
      'meta/test.txt, line 2',
    ],
    [
      'an image that is absent',
      replaceIn('meta/test.txt', '1011328', '1011329'),
      'DATASET_IMAGE_MISSING',
      '1011329.jpg',
    ],
  ])('is refused with %s', async (_, change, code, named) => {
    await expect(load(smallFood101(), change)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(named),
    });
  });
});

describe('a folder that is almost a layout', () => {
  const cub = () => {
    const { images, ...lists } = smallCub();
    return {
      ...lists,
      ...Object.fromEntries(Object.entries(images).map(([file, bytes]) => [`images/${file}`, bytes])),
    };
  };
  test.each<[title: string, files: () => DatasetFiles, removed: string, missing: string]>([
    ['CUB-200-2011 or NABirds', cub, 'images.txt', 'images.txt'],
    ['CUB-200-2011 or NABirds', cub, 'images', 'images/'],
    ['CUB-200-2011 or NABirds', smallNABirds, 'train_test_split.txt', 'train_test_split.txt'],
    ['FGVC-Aircraft 2013b', smallAircraft, 'variants.txt', 'variants.txt'],
    ['FGVC-Aircraft 2013b', smallAircraft, 'images_variant_trainval.txt', 'images_variant_trainval.txt'],
    ['VegFru', smallVegFru, 'vegfru_list', 'vegfru_list/vegfru_train.txt, vegfru_list/vegfru_test.txt'],
    ['VegFru', smallVegFru, 'fru92_images', 'fru92_images/'],
    ['Food-101', smallFood101, 'meta/classes.txt', 'meta/classes.txt'],
    ['Food-101', smallFood101, 'images', 'images/'],
  ])('%s is told what is missing', async (title, files, removed, missing) => {
    const root = await temporaryFolder();
    await writeFiles(root, files());
    await rm(path.join(root, removed), { recursive: true });
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_LAYOUT_INCOMPLETE',
      message: `the folder ${root} looks like ${title}, but does not contain ${missing}`,
    });
  });

  test('with a list that is a folder does not contain the list', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    await rm(path.join(root, 'classes.txt'));
    await rename(path.join(root, 'images', '002.Auk'), path.join(root, 'classes.txt'));
    await expect(loadDataset(root)).rejects.toMatchObject({
      message: expect.stringContaining('does not contain classes.txt'),
    });
  });

  test('with a list too large to be one is told so', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    // Takes no room on the disk: all of it is a hole.
    await truncate(path.join(root, 'classes.txt'), 3 * 1024 ** 3);
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_LIST_UNREADABLE',
      message: `the list classes.txt of the dataset ${root} cannot be read (ERR_FS_FILE_TOO_LARGE)`,
    });
  });

  test('of no layout is told what would have been one', async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { 'images/a.jpg': 'x' });
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_FORMAT_UNKNOWN',
      message: expect.stringMatching(
        /images\.txt \(CUB-200-2011 or NABirds\), variants\.txt .*VegFru.*Food-101/,
      ),
    });
  });

  test('around a dataset is told which folder to give', async () => {
    const root = await temporaryFolder();
    await writeFiles(path.join(root, 'food-101'), smallFood101());
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_FORMAT_UNKNOWN',
      message: expect.stringContaining(`${path.join(root, 'food-101')} looks like one`),
    });
  });
});
