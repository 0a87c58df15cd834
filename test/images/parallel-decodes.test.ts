import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { nodeThreads, withNodeThreads } from '../../src/machine/node-threads.js';
import { parallelDecodes } from '../../src/worker/images/parallel-decodes.js';
import { openImageSource } from '../../src/worker/images/source.js';
import { jpegPicture } from '../data/pictures.js';
import { smallCub, temporaryFolder, writeCub } from '../data/support.js';

/** Pictures that are read at the same time; a decode begins with reading. */
const reading = vi.hoisted(() => ({ now: 0, most: 0 }));
vi.mock('../../src/data/picture-file.js', async (original) => {
  const actual = await original<typeof import('../../src/data/picture-file.js')>();
  return {
    ...actual,
    readPicture: async (file: string) => {
      reading.most = Math.max(reading.most, ++reading.now);
      await sleep(20);
      reading.now--;
      return actual.readPicture(file);
    },
  };
});

test.each([
  ['a GPU, 8 processors and a thread for each', true, 8, 8, 8],
  ['a GPU, 16 processors and the usual threads', true, 16, 4, 4],
  ['a GPU and 1 processor', true, 1, 4, 2],
  ['2 processors that also train', false, 2, 4, 2],
  ['8 processors that also train', false, 8, 8, 4],
])('on %s', (_, hasGpu, processors, threads, expected) => {
  expect(parallelDecodes(hasGpu, processors, threads)).toBe(expected);
});

test.each([
  [{}, 4],
  [{ UV_THREADPOOL_SIZE: '12' }, 12],
  [{ UV_THREADPOOL_SIZE: 'many' }, 4],
  [withNodeThreads(16), 16],
  [withNodeThreads(2), 4],
])('with %j Node has %i threads', (environment, threads) => {
  expect(nodeThreads(environment)).toBe(threads);
});

test.each([2, 5])('%i pictures are decoded at the same time, and no more', async (count) => {
  const root = await temporaryFolder();
  const picture = await jpegPicture(1);
  await writeCub(
    root,
    smallCub(() => picture),
  );
  const dataset = await loadDataset(root);
  reading.most = 0;
  const source = await openImageSource({
    ...{ dataset, split: 'train', imageSize: 16, seed: 5 },
    ...{ augmentation: { crop: 'none', flip: false }, cacheDirectory: path.join(root, 'cache') },
    ...{ cacheLimitBytes: 0, parallelDecodes: count, onNotice: () => {} },
  });
  await source.read(Int32Array.of(0, 1, 2, 3, 4, 5), null);
  await source.close();
  expect(reading.most).toBe(count);
});
