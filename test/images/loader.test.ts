import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { Purpose } from '../../src/data/random.js';
import type { ImageLoader } from '../../src/worker/images/loader.js';
import { openImageSource } from '../../src/worker/images/source.js';
import { jpegPicture } from '../data/pictures.js';
import { smallCub, temporaryFolder, writeCub } from '../data/support.js';

// As built: a thread runs JavaScript.
const built = path.resolve('dist/worker/images/loader.js');
const { ImageLoader: Loader } = (await import(built)) as { ImageLoader: typeof ImageLoader };

async function prepare(
  augmentation: { crop: 'none' | 'random-resized'; flip: boolean },
  change: (root: string) => Promise<void> = async () => {},
) {
  const root = await temporaryFolder();
  const pictures = await Promise.all(Array.from({ length: 9 }, (_, id) => jpegPicture(id)));
  await writeCub(
    root,
    smallCub((id) => pictures[id]!),
  );
  await change(root);
  const options = {
    dataset: await loadDataset(root),
    imageSize: 32,
    augmentation,
    seed: 5,
    cacheDirectory: path.join(await temporaryFolder(), 'cache'),
    cacheLimitBytes: 10 ** 9,
    parallelDecodes: 2,
  };
  const notices: string[] = [];
  return { options, notices, open: () => Loader.open(options, (message) => notices.push(message)) };
}

const indices = Int32Array.of(4, 0, 4, 2);
const views = {
  purpose: Purpose.positiveView,
  iteration: 1,
  epoch: 2,
  anchors: Int32Array.of(3, 1, 2, 0),
};

test('the thread gives the pixels that a source in this thread gives, fetched ahead or not, cached or not', async () => {
  const { options, open } = await prepare({ crop: 'random-resized', flip: true });
  const here = await openImageSource({ ...options, cacheLimitBytes: 0, split: 'train', onNotice: () => {} });
  const expected = await here.read(indices, views);
  const plain = await here.read(indices, null);
  await here.close();
  // Two rows of one picture see different parts of it.
  const size = expected.length / 4;
  expect(expected.subarray(0, size)).not.toEqual(expected.subarray(2 * size, 3 * size));
  for (const decoded of [3, 0]) {
    const loader = await open();
    loader.train.prefetch(indices, views);
    expect(await loader.train.read(indices, views)).toEqual(expected);
    expect(await loader.train.read(indices, null)).toEqual(plain);
    expect(loader.train.statistics.decoded).toBe(decoded);
    expect(await loader.test.read(Int32Array.of(1), null)).toHaveLength(size);
    await loader.close();
  }
});

test('the thread names a damaged picture, and goes on', async () => {
  const { open } = await prepare({ crop: 'none', flip: false }, (root) =>
    writeFile(path.join(root, 'images/002.Auk/a.jpg'), 'These are words.'),
  );
  const loader = await open();
  await expect(loader.train.read(Int32Array.of(0, 1), null)).rejects.toMatchObject({
    code: 'DATASET_IMAGE_DAMAGED',
    exitCode: 65,
    message: expect.stringContaining('002.Auk/a.jpg'),
  });
  expect(await loader.train.read(Int32Array.of(1), null)).toHaveLength(32 * 32 * 3);
  await loader.close();
});

test('the thread says once when there is no room for a cache', async () => {
  const { options, notices } = await prepare({ crop: 'none', flip: false });
  const loader = await Loader.open({ ...options, cacheLimitBytes: 5000 }, (message) => notices.push(message));
  await loader.train.read(indices, null);
  await loader.close();
  expect(notices.filter((notice) => notice.includes('train split'))).toHaveLength(1);
  await expect(loader.train.read(indices, null)).rejects.toThrow('has ended');
});

test('a picture that does not answer is told of in the worker, and shown when it does', async () => {
  const { options, open } = await prepare({ crop: 'none', flip: false });
  const file = path.join(options.dataset.imagesRoot, options.dataset.train.paths[2]!);
  const picture = await readFile(file);
  const loader = await open();
  const expected = await loader.train.read(Int32Array.of(2), null);
  await loader.close();
  // Whoever opens a pipe to read waits for a writer.
  await rm(file);
  execFileSync('mkfifo', [file]);
  const { diskWatch } = (await import(
    path.resolve('dist/disk/watch.js')
  )) as typeof import('../../src/disk/watch.js');
  const overdue = new Promise((resolve) => {
    diskWatch.onOverdue = resolve;
  });
  const waiting = await Loader.open({ ...options, cacheLimitBytes: 0 }, () => {});
  const pixels = waiting.train.read(Int32Array.of(2), null);
  expect(await overdue).toEqual({ operation: 'read', file, seconds: 5 });
  expect(diskWatch.overdueTotal).toBe(1);
  await writeFile(file, picture);
  expect(await pixels).toEqual(expected);
  await waiting.close();
});
