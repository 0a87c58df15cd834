import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { type CubFiles, smallCub, temporaryFolder, writeCub } from './support.js';

async function load(change: (files: CubFiles) => void = () => {}) {
  const root = await temporaryFolder();
  const files = smallCub();
  change(files);
  await writeCub(root, files);
  return loadDataset(root);
}

function replaceIn(file: Exclude<keyof CubFiles, 'images'>, from: string, to: string) {
  return (files: CubFiles) => {
    expect(files[file]).toContain(from);
    files[file] = files[file].replaceAll(from, to);
  };
}

describe('a dataset in CUB layout', () => {
  test('is joined on the image id, in the order of images.txt, with classes numbered by sorted id', async () => {
    const dataset = await load();
    expect(dataset.classNames).toEqual(['002.Auk', '005.Wren', '009.Little Tern']);
    expect(dataset.train.paths).toEqual([
      '002.Auk/a.jpg',
      '005.Wren/a b.jpg',
      '009.Tern/a.jpg',
      '002.Auk/c.jpg',
      '002.Auk/d.jpg',
      '005.Wren/c.jpg',
    ]);
    expect([...dataset.train.labels]).toEqual([0, 1, 2, 0, 0, 1]);
    expect([...dataset.train.byteCounts]).toEqual([1, 2, 4, 5, 7, 8]);
    expect(dataset.test.paths).toEqual(['002.Auk/b.jpg', '005.Wren/b.jpg']);
    expect([...dataset.test.labels]).toEqual([0, 1]);
  });

  test('orders class ids as numbers, not as text', async () => {
    const dataset = await load((files) => {
      files['classes.txt'] = files['classes.txt'].replace('9 009', '10 009');
      files['image_class_labels.txt'] = files['image_class_labels.txt'].replace('4 9', '4 10');
    });
    expect(dataset.classNames).toEqual(['002.Auk', '005.Wren', '009.Little Tern']);
  });

  test('may have lines that end in CR LF and a blank last line', async () => {
    const dataset = await load((files) => {
      files['images.txt'] = `${files['images.txt'].replaceAll('\n', '\r\n')}\r\n`;
    });
    expect(dataset.train.paths).toHaveLength(6);
  });

  test('may have lines that end in CR alone', async () => {
    const expected = await load();
    const dataset = await load((files) => {
      for (const file of ['images.txt', 'image_class_labels.txt', 'classes.txt'] as const)
        files[file] = files[file].replaceAll('\n', '\r');
    });
    expect(dataset.train.paths).toEqual(expected.train.paths);
    expect(dataset.fingerprint).toBe(expected.fingerprint);
  });

  test('has the SHA-256 of its sorted (path, SHA-256 of the content, label, split) as fingerprint', async () => {
    const sha256 = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex');
    const lines = (
      [
        ['002.Auk/a.jpg', 1, '0\ttrain'],
        ['002.Auk/b.jpg', 3, '0\ttest'],
        ['002.Auk/c.jpg', 5, '0\ttrain'],
        ['002.Auk/d.jpg', 7, '0\ttrain'],
        ['005.Wren/a b.jpg', 2, '1\ttrain'],
        ['005.Wren/b.jpg', 6, '1\ttest'],
        ['005.Wren/c.jpg', 8, '1\ttrain'],
        ['009.Tern/a.jpg', 4, '2\ttrain'],
      ] as const
    ).map(([file, bytes, rest]) => `${file}\t${sha256(new Uint8Array(bytes))}\t${rest}\n`);
    const dataset = await load();
    expect(dataset.fingerprint).toBe(sha256(`fcaenet dataset 2\n${lines.join('')}`));
  });

  test.each<[string, (files: CubFiles) => void]>([
    [
      'byte count',
      (files) => {
        files.images['002.Auk/a.jpg'] = new Uint8Array(99);
      },
    ],
    [
      'bit of a picture',
      (files) => {
        files.images['002.Auk/a.jpg'] = Uint8Array.of(1);
      },
    ],
    ['split', replaceIn('train_test_split.txt', '1 1', '1 0')],
    ['label', replaceIn('image_class_labels.txt', '1 2', '1 5')],
  ])('has another fingerprint when a %s differs', async (_, change) => {
    expect((await load(change)).fingerprint).not.toBe((await load()).fingerprint);
  });
});

describe('is refused in one sentence:', () => {
  test.each<[string, (files: CubFiles) => void, string, string]>([
    [
      'an image id without a path',
      replaceIn('images.txt', '3 002.Auk/b.jpg', '3'),
      'DATASET_LINE_MALFORMED',
      'images.txt, line 3',
    ],
    [
      'a class id that is no number',
      replaceIn('image_class_labels.txt', '4 9', '4 nine'),
      'DATASET_LINE_MALFORMED',
      'image_class_labels.txt, line 4',
    ],
    [
      'a split that is neither 0 nor 1',
      replaceIn('train_test_split.txt', '4 1', '4 2'),
      'DATASET_LINE_MALFORMED',
      'train_test_split.txt, line 4',
    ],
    [
      'an image id given twice',
      replaceIn('images.txt', '3 002.Auk', '2 002.Auk'),
      'DATASET_ENTRY_DUPLICATE',
      'images.txt, line 3',
    ],
    [
      'a path given twice',
      replaceIn('images.txt', '002.Auk/b.jpg', '002.Auk/a.jpg'),
      'DATASET_ENTRY_DUPLICATE',
      'images.txt, line 3',
    ],
    [
      'a label for an unknown image',
      replaceIn('image_class_labels.txt', '4 9', '44 9'),
      'DATASET_ENTRY_UNKNOWN',
      'image_class_labels.txt, line 4',
    ],
    [
      'a split for an unknown image',
      replaceIn('train_test_split.txt', '4 1', '44 1'),
      'DATASET_ENTRY_UNKNOWN',
      'train_test_split.txt, line 4',
    ],
    [
      'an unknown class',
      replaceIn('classes.txt', '9 009', '8 009'),
      'DATASET_ENTRY_UNKNOWN',
      'image_class_labels.txt, line 4',
    ],
    [
      'an image without a label',
      replaceIn('image_class_labels.txt', '4 9\n', ''),
      'DATASET_ENTRY_MISSING',
      'image id "4"',
    ],
    [
      'an image without a split',
      replaceIn('train_test_split.txt', '4 1\n', ''),
      'DATASET_ENTRY_MISSING',
      'image id "4"',
    ],
    [
      'a path that climbs out',
      replaceIn('images.txt', '002.Auk/b.jpg', '../../b.jpg'),
      'DATASET_PATH_UNSAFE',
      'has the path "../../b.jpg", expected a path inside the dataset of at most ',
    ],
    [
      'an absolute path',
      replaceIn('images.txt', '002.Auk/b.jpg', '/etc/passwd'),
      'DATASET_PATH_UNSAFE',
      'images.txt, line 3',
    ],
    [
      'a path with a drive letter',
      replaceIn('images.txt', '002.Auk/b.jpg', 'C:/b.jpg'),
      'DATASET_PATH_UNSAFE',
      'images.txt, line 3',
    ],
    [
      'a path with a backslash',
      replaceIn('images.txt', '002.Auk/b.jpg', '..\\b.jpg'),
      'DATASET_PATH_UNSAFE',
      'images.txt, line 3',
    ],
    [
      'an image that is absent',
      (files) => delete files.images['002.Auk/b.jpg'],
      'DATASET_IMAGE_MISSING',
      'images/002.Auk/b.jpg',
    ],
    [
      'an image of 0 bytes',
      (files) => {
        files.images['002.Auk/b.jpg'] = new Uint8Array(0);
      },
      'DATASET_IMAGE_EMPTY',
      'images/002.Auk/b.jpg, listed in images.txt, line 3, is empty, expected a picture',
    ],
    [
      'several images of 0 bytes',
      (files) => {
        for (const file of ['005.Wren/a b.jpg', '009.Tern/a.jpg', '002.Auk/d.jpg'])
          files.images[file] = new Uint8Array(0);
      },
      'DATASET_IMAGE_EMPTY',
      'images/005.Wren/a b.jpg, listed in images.txt, line 2, is empty, expected a picture, and 2 more are empty too',
    ],
    [
      'no test image',
      replaceIn('train_test_split.txt', ' 0', ' 1'),
      'DATASET_SPLIT_EMPTY',
      'lists no image of the test split, expected at least one',
    ],
  ])('%s', async (_, change, code, named) => {
    await expect(load(change)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
  });

  test.each<[string, (text: string) => Uint8Array, string]>([
    ['UTF-16 with a mark', (text) => Buffer.from(`\ufeff${text}`, 'utf16le'), 'is UTF-16 but must be UTF-8'],
    ['UTF-16 without a mark', (text) => Buffer.from(text, 'utf16le'), 'is UTF-16 but must be UTF-8'],
    [
      'UTF-16, big end first',
      (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
      'is UTF-16 but must be UTF-8',
    ],
    [
      'Latin-1',
      (text) => Buffer.from(text.replace('Auk', 'T\u00f6lpel'), 'latin1'),
      'is in another encoding, perhaps Latin-1, but must be UTF-8',
    ],
  ])('a list in %s', async (_, encode, named) => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    await writeFile(path.join(root, 'classes.txt'), encode(smallCub()['classes.txt']));
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_LIST_ENCODING',
      exitCode: 65,
      message: `the list classes.txt of the dataset ${root} ${named}: save it as UTF-8`,
    });
  });

  test.each<[string, (text: string) => string, number]>([
    ['one NUL byte', (text) => text.replace(' ', ' \0'), 1],
    ['zeros at its end, as after a crash', (text) => `${text.trimEnd()}${'\0'.repeat(4096)}`, 4],
  ])('a list with %s', async (_, damage, line) => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    await writeFile(path.join(root, 'classes.txt'), damage(smallCub()['classes.txt']));
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_LINE_MALFORMED',
      message: `classes.txt, line ${line} of ${root} contains a NUL byte, expected text; the file may be damaged`,
    });
  });

  test.each(['NFC', 'NFD'] as const)(
    'an image whose file is named as in the list but for its Unicode normalisation, %s',
    async (form) => {
      const other = form === 'NFC' ? 'NFD' : 'NFC';
      const name = (of: 'NFC' | 'NFD') => 'T\u00f6lpel.jpg'.normalize(of);
      const change = (files: CubFiles) => {
        files['images.txt'] = files['images.txt'].replace('002.Auk/b.jpg', `002.Auk/${name(other)}`);
        files.images[`002.Auk/${name(form)}`] = Uint8Array.of(1);
      };
      await expect(load(change)).rejects.toMatchObject({
        code: 'DATASET_IMAGE_MISSING',
        message: expect.stringContaining(
          `does not exist, but a file does whose name differs only in its Unicode normalisation, ${form}`,
        ),
      });
    },
  );

  test.each<[string, (files: CubFiles) => void, string]>([
    ['line', (files) => (files['images.txt'] += 'x'.repeat(22_000)), 'DATASET_LINE_MALFORMED'],
    ['path', (files) => (files['images.txt'] += `9 ${'x'.repeat(22_000)}\n`), 'DATASET_PATH_UNSAFE'],
    [
      'class id',
      replaceIn('image_class_labels.txt', '4 9', `4 ${'9'.repeat(22_000)}`),
      'DATASET_LINE_MALFORMED',
    ],
    ['image id', replaceIn('images.txt', '3 002', `${'3'.repeat(22_000)} 002`), 'DATASET_ENTRY_UNKNOWN'],
  ])('a long %s, quoted in part', async (_, change, code) => {
    const failure = await load(change).catch((error: Error) => error);
    expect(failure).toMatchObject({ code });
    expect((failure as Error).message.length).toBeLessThan(400);
  });

  test('a folder that is absent, with the way to get a dataset', async () => {
    const root = path.join(await temporaryFolder(), 'nowhere');
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_FOLDER_MISSING',
      message: expect.stringMatching(/nowhere does not exist.*fcaenet dataset make.*CUB-200-2011/),
    });
  });

  test('a folder of another layout', async () => {
    await expect(loadDataset(await temporaryFolder())).rejects.toMatchObject({
      code: 'DATASET_FORMAT_UNKNOWN',
    });
  });

  test('a dataset without one of its lists', async () => {
    const root = await temporaryFolder();
    await writeCub(root, smallCub());
    await rm(path.join(root, 'classes.txt'));
    await expect(loadDataset(root)).rejects.toMatchObject({
      code: 'DATASET_LAYOUT_INCOMPLETE',
      message: expect.stringContaining('does not contain classes.txt'),
    });
  });
});
