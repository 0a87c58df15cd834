import { readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadDataset } from '../../src/data/dataset.js';
import { smallDataset } from '../kit/small-run.js';
import { smallCub, temporaryFolder, writeCub } from './support.js';

const pictures = 8;
/** Long after every file was written, as it is for a dataset that somebody downloaded. */
const later = () => Date.now() + 60_000;

async function prepare() {
  const root = await temporaryFolder();
  await writeCub(root, smallCub());
  const directory = path.join(await temporaryFolder(), 'cache');
  const notices: string[] = [];
  const memory = { directory, onNotice: (message: string) => notices.push(message) };
  /** Loads, and tells how many pictures were read. */
  const load = async (change: { afresh?: boolean; nowMs?: () => number } = {}) => {
    let read = 0;
    const { fingerprint } = await loadDataset(root, {
      memory,
      nowMs: later,
      onProgress: (what) => {
        if (what === 'reading') read++;
      },
      ...change,
    });
    return { read, fingerprint };
  };
  const picture = path.join(root, 'images', '005.Wren/b.jpg');
  return { root, directory, notices, load, picture };
}

/** Other bytes, as many, under the times that the file had. */
async function replaceUnnoticed(picture: string, write: (bytes: Uint8Array) => Promise<void>) {
  const { size, atime, mtime } = await stat(picture);
  await write(new Uint8Array(size).fill(9));
  await utimes(picture, atime, mtime);
}

async function onlyFile(directory: string): Promise<string> {
  const names = await readdir(directory);
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.digests$/)]);
  return path.join(directory, names[0]!);
}

describe('what pictures hold', () => {
  test('is read once, and remembered', async () => {
    const { load, notices } = await prepare();
    const first = await load();
    expect(first.read).toBe(pictures);
    expect(await load()).toEqual({ ...first, read: 0 });
    expect(notices).toEqual([]);
  });

  test('is read again of a picture that was rewritten in its place, though its size and mtime are the same', async () => {
    const { load, picture } = await prepare();
    const first = await load();
    await replaceUnnoticed(picture, (bytes) => writeFile(picture, bytes));
    const second = await load();
    expect(second.read).toBe(1);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(await load()).toEqual({ ...second, read: 0 });
  });

  test('is read again of a picture that another took the place of', async () => {
    const { load, picture } = await prepare();
    const first = await load();
    await replaceUnnoticed(picture, async (bytes) => {
      await writeFile(`${picture}.new`, bytes);
      await rename(`${picture}.new`, picture);
    });
    const second = await load();
    expect(second.read).toBe(1);
    expect(second.fingerprint).not.toBe(first.fingerprint);
  });

  test('is read again where that is asked for', async () => {
    const { load } = await prepare();
    const first = await load();
    expect(await load({ afresh: true })).toEqual(first);
  });

  test('is not remembered of a picture that was written a moment ago', async () => {
    const { load } = await prepare();
    expect((await load({ nowMs: Date.now })).read).toBe(pictures);
    expect((await load()).read).toBe(pictures);
    expect((await load()).read).toBe(0);
  });

  test('is remembered as far as it was read when the reading is given up', async () => {
    const root = await temporaryFolder();
    await smallDataset(root);
    const memory = { directory: await temporaryFolder(), onNotice: () => {} };
    const leave = new AbortController();
    const first = loadDataset(root, {
      memory,
      nowMs: later,
      signal: leave.signal,
      onProgress: (what, done) => {
        if (what === 'reading' && done === 9) leave.abort(new Error('told to leave'));
      },
    });
    await expect(first).rejects.toThrow('told to leave');
    const left: number[] = [];
    await loadDataset(root, {
      memory,
      nowMs: later,
      onProgress: (what, _, total) => {
        if (what === 'reading') left.push(total);
      },
    });
    expect(left[0]).toBeGreaterThan(0);
    expect(left[0]).toBeLessThanOrEqual(44 - 9);
  });
});

describe('the file that remembers', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    [
      'another version',
      (bytes) => Buffer.from(bytes.toString('latin1').replace('digests 1', 'digests 9'), 'latin1'),
    ],
    ['a damaged digest', (bytes) => bytes.fill(bytes.at(-1)! ^ 1, bytes.length - 1)],
    ['its end cut off', (bytes) => bytes.subarray(0, -64)],
    ['no content', () => Buffer.alloc(0)],
  ])('of %s remembers nothing, and is made anew', async (_, damage) => {
    const { directory, load } = await prepare();
    const first = await load();
    const file = await onlyFile(directory);
    await writeFile(file, damage(await readFile(file)));
    expect(await load()).toEqual(first);
    expect(await load()).toEqual({ ...first, read: 0 });
  });

  test('is whole after several processes wrote it at once', async () => {
    const { directory, load } = await prepare();
    const found = await Promise.all(Array.from({ length: 6 }, () => load()));
    expect(new Set(found.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect((await load()).read).toBe(0);
    await onlyFile(directory);
  });

  test('may be impossible: that is said once, and everything is read', async () => {
    const { directory, notices, load } = await prepare();
    await writeFile(directory, 'a file where a folder should be');
    const first = await load();
    expect(await load()).toEqual(first);
    expect(first.read).toBe(pictures);
    expect(notices).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/cannot be stored in \S+ \(E[A-Z]+\)/)),
    );
  });
});
