import { mkdir, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type Dataset, loadDataset } from '../../src/data/dataset.js';
import { decodeImage } from '../../src/data/pixels.js';
import { OpenFile } from '../../src/disk/disk.js';
import { DiskError } from '../../src/disk/error.js';
import { CacheFile } from '../../src/worker/images/cache-file.js';
import { type ImageSourceOptions, openImageSource } from '../../src/worker/images/source.js';
import { jpegPicture } from '../data/pictures.js';
import { smallCub, temporaryFolder, writeCub } from '../data/support.js';

const imageSize = 16;
const all = Int32Array.of(0, 1, 2, 3, 4, 5);
/** header, then per image a header of 12 bytes and its pixels */
const slotBytes = imageSize * imageSize * 3 + 12;
const trainFileBytes = 4096 + 6 * slotBytes;

let pictures: Buffer[];
beforeAll(async () => {
  pictures = await Promise.all(Array.from({ length: 9 }, (_, id) => jpegPicture(id)));
});

async function prepare(content: (id: number) => Uint8Array = (id) => pictures[id]!) {
  const root = await temporaryFolder();
  await writeCub(root, smallCub(content));
  const cacheDirectory = path.join(await temporaryFolder(), 'cache');
  const dataset = await loadDataset(root);
  const notices: string[] = [];
  const source = (change: Partial<ImageSourceOptions> = {}) =>
    openImageSource({
      dataset,
      split: 'train',
      imageSize,
      augmentation: { crop: 'none', flip: false },
      seed: 5,
      cacheDirectory,
      cacheLimitBytes: 10 ** 9,
      parallelDecodes: 2,
      onNotice: (message) => notices.push(message),
      ...change,
    });
  return { dataset, cacheDirectory, notices, source };
}

/** Opens, reads, closes; tells what it took. */
async function readAll(source: Awaited<ReturnType<typeof openImageSource>>, indices = all) {
  const pixels = await source.read(indices, null);
  await source.close();
  return { pixels, ...source.statistics };
}

async function decodeAll(dataset: Dataset, indices = all): Promise<Uint8Array> {
  const parts = await Promise.all(
    Array.from(indices, (index) =>
      decodeImage(path.join(dataset.imagesRoot, dataset.train.paths[index]!), imageSize),
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}

async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return path.join(folder, names[0]!);
}

describe('an image source', () => {
  test('gives the pixels in the order asked for, repeats included', async () => {
    const { dataset, source } = await prepare();
    const indices = Int32Array.of(4, 0, 4, 2);
    expect((await readAll(await source(), indices)).pixels).toEqual(await decodeAll(dataset, indices));
  });

  test('decodes an image once; later sources take it from the packed file', async () => {
    const { dataset, source } = await prepare();
    expect(await readAll(await source())).toMatchObject({ decoded: 6, cached: 0 });
    const again = await readAll(await source());
    expect(again).toMatchObject({ decoded: 0, cached: 6 });
    expect(again.pixels).toEqual(await decodeAll(dataset));
  });

  test('shares the packed file with a source opened at the same time', async () => {
    const { source } = await prepare();
    const [first, second] = await Promise.all([source(), source()]);
    await first.read(all, null);
    await first.close();
    expect(await readAll(second)).toMatchObject({ decoded: 0, cached: 6 });
  });

  test('fetches ahead what it is told to, and reads it no second time', async () => {
    const { dataset, source } = await prepare();
    const ahead = await source();
    ahead.prefetch(all, null);
    ahead.prefetch(all, null);
    expect((await readAll(ahead)).pixels).toEqual(await decodeAll(dataset));
    expect(ahead.statistics).toEqual({ decoded: 6, cached: 0 });
  });

  test('names a truncated image when it is read, not when it is fetched ahead', async () => {
    const { source } = await prepare((id) => (id === 4 ? pictures[id]!.subarray(0, 400) : pictures[id]!));
    const ahead = await source();
    ahead.prefetch(all, null);
    await expect(ahead.read(Int32Array.of(0, 2), null)).rejects.toMatchObject({
      code: 'DATASET_IMAGE_DAMAGED',
      message: expect.stringContaining('009.Tern/a.jpg'),
    });
    await ahead.close();
  });

  test.each<[string, (sound: Buffer) => Buffer]>([
    ['replaced by another of as many bytes', (sound) => Buffer.from(sound).fill(7, sound.length - 9)],
    ['emptied', () => Buffer.alloc(0)],
  ])('names an image that was %s since the dataset was loaded', async (_, change) => {
    const { dataset, cacheDirectory, source } = await prepare();
    const file = path.join(dataset.imagesRoot, '005.Wren/c.jpg');
    const bytes = change(await readFile(file));
    await writeFile(file, bytes);
    const opened = await source();
    await expect(opened.read(Int32Array.of(5), null)).rejects.toMatchObject({
      code: 'DATASET_IMAGE_CHANGED',
      exitCode: 65,
      message: expect.stringMatching(
        new RegExp(
          `^the image \\S+/005\\.Wren/c\\.jpg was replaced .*${bytes.length} bytes of SHA-256 [0-9a-f]{12}…, expected [0-9a-f]{12}…$`,
        ),
      ),
    });
    await opened.close();
    // Nothing of it is kept for those who still expect the first.
    expect((await readAll(await source(), Int32Array.of(0, 1, 2, 3, 4))).decoded).toBe(5);
    expect(await readdir(cacheDirectory)).toHaveLength(1);
  });

  test('names an image that vanished since the dataset was loaded', async () => {
    const { dataset, source } = await prepare();
    await rm(path.join(dataset.imagesRoot, '005.Wren/c.jpg'));
    const opened = await source();
    await expect(opened.read(Int32Array.of(5), null)).rejects.toMatchObject({
      code: 'DATASET_IMAGE_MISSING',
    });
    await opened.close();
  });
});

describe('a packed file', () => {
  test.each([
    ['a pixel', slotBytes * 2 + 4096 + 100],
    ['a seal', slotBytes * 3 + 4096 + 2],
  ])('with damage to %s has that image decoded anew and is mended', async (_, position) => {
    const { dataset, cacheDirectory, source } = await prepare();
    await readAll(await source());
    const file = await open(await onlyFile(cacheDirectory), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0]! ^= 0x10;
    await file.write(byte, 0, 1, position);
    await file.close();
    const again = await readAll(await source());
    expect(again).toMatchObject({ decoded: 1, cached: 5 });
    expect(again.pixels).toEqual(await decodeAll(dataset));
    expect(await readAll(await source())).toMatchObject({ decoded: 0, cached: 6 });
  });

  test.each<[string, (file: string) => Promise<void>]>([
    ['a damaged head', async (file) => writeFile(file, (await readFile(file)).fill(7, 0, 9))],
    ['its end cut off', async (file) => writeFile(file, (await readFile(file)).subarray(0, 5000))],
    ['no content', (file) => writeFile(file, '')],
  ])('with %s is built again', async (_, damage) => {
    const { dataset, cacheDirectory, source } = await prepare();
    await readAll(await source());
    await damage(await onlyFile(cacheDirectory));
    expect((await readAll(await source())).pixels).toEqual(await decodeAll(dataset));
    expect(await readAll(await source())).toMatchObject({ decoded: 0, cached: 6 });
    expect((await stat(await onlyFile(cacheDirectory))).size).toBe(trainFileBytes);
  });

  test('is another one for another fingerprint, split or size', async () => {
    const { dataset, cacheDirectory, source } = await prepare();
    await readAll(await source());
    await readAll(await source({ imageSize: 8 }));
    await readAll(await source({ split: 'test' }), Int32Array.of(0));
    expect(
      await readAll(await source({ dataset: { ...dataset, fingerprint: 'f'.repeat(64) } })),
    ).toMatchObject({
      decoded: 6,
    });
    expect(await readdir(cacheDirectory)).toHaveLength(4);
  });
});

describe('the bound on the cache folder', () => {
  test('a split beyond it goes without a cache and says so once', async () => {
    const { dataset, cacheDirectory, notices, source } = await prepare();
    const opened = await source({ cacheLimitBytes: trainFileBytes - 1 });
    await opened.read(all, null);
    expect((await readAll(opened)).pixels).toEqual(await decodeAll(dataset));
    expect(opened.statistics).toEqual({ decoded: 12, cached: 0 });
    expect(notices).toEqual([expect.stringContaining(`more than the limit of ${trainFileBytes - 1}`)]);
    expect(await readdir(cacheDirectory)).toEqual([]);
  });

  test('files of other datasets make room, the longest unused first', async () => {
    const { cacheDirectory, source } = await prepare();
    await mkdir(cacheDirectory);
    for (const [name, day] of [
      ['middle', 2],
      ['oldest', 1],
      ['newest', 3],
    ] as const) {
      const file = path.join(cacheDirectory, `${name}.pixels`);
      await writeFile(file, Buffer.alloc(1000));
      await utimes(file, day, day);
    }
    await readAll(await source({ cacheLimitBytes: trainFileBytes + 1500 }));
    const names = await readdir(cacheDirectory);
    expect(names).toHaveLength(2);
    expect(names).toContain('newest.pixels');
  });

  test('the other split of the same dataset stays', async () => {
    const { cacheDirectory, notices, source } = await prepare();
    await readAll(await source());
    await readAll(await source({ split: 'test', cacheLimitBytes: trainFileBytes + 1000 }), Int32Array.of(0));
    expect(await readdir(cacheDirectory)).toHaveLength(1);
    expect(notices).toHaveLength(1);
  });

  test('a cache folder that cannot be made is said once and done without', async () => {
    const { cacheDirectory, notices, source } = await prepare();
    await writeFile(cacheDirectory, 'a file where a folder should be');
    expect(await readAll(await source())).toMatchObject({ decoded: 6 });
    expect(notices).toEqual([expect.stringMatching(/cannot be used \(E[A-Z]+\)/)]);
  });

  test('a packed file that cannot be read when it is opened is closed', async () => {
    const { notices, source } = await prepare();
    await readAll(await source());
    const file = vi.spyOn(OpenFile.prototype, 'read').mockRejectedValueOnce(new Error('EIO'));
    const close = vi.spyOn(OpenFile.prototype, 'close');
    await readAll(await source());
    expect(close).toHaveBeenCalledOnce();
    file.mockRestore();
    close.mockRestore();
    expect(notices).toEqual([expect.stringMatching(/cannot be used/)]);
  });

  test('decodes where the cache cannot be read any more, and says so once', async () => {
    const { dataset, notices, source } = await prepare();
    await readAll(await source());
    const read = vi
      .spyOn(CacheFile.prototype, 'read')
      .mockRejectedValue(new DiskError('read', 'x.pixels', 60));
    const { pixels, decoded } = await readAll(await source());
    read.mockRestore();
    expect(pixels).toEqual(await decodeAll(dataset));
    expect(decoded).toBe(6);
    expect(notices).toEqual([
      'the image cache cannot be read (read of x.pixels did not answer within 60 s), so images are decoded each time',
    ]);
  });
});
