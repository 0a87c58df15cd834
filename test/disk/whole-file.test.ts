import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Disk, disk } from '../../src/disk/disk.js';
import { writePieces, writeWhole } from '../../src/disk/whole-file.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-whole-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'file');

test('pieces are written one after the other, in chunks of at most 4 MiB, and replace what was there', async () => {
  writeFileSync(file, 'old');
  const pieces = [Buffer.from('head'), Buffer.alloc(5 * 2 ** 20, 'x'), Buffer.alloc(0)];
  const chunks: number[] = [];
  await writeWhole(disk, file, pieces, ({ length }) => void chunks.push(length));
  expect(readFileSync(file).equals(Buffer.concat(pieces))).toBe(true);
  expect(chunks).toEqual([4, 4 * 2 ** 20, 2 ** 20]);
});

test('what was there stays, and nothing else, when the pieces end in an error', async () => {
  writeFileSync(file, 'old');
  function* pieces() {
    yield Buffer.from('new');
    throw new Error('no more');
  }
  await expect(writeWhole(disk, file, pieces())).rejects.toThrow('no more');
  expect(readdirSync(folder)).toEqual(['file']);
  expect(readFileSync(file, 'utf8')).toBe('old');
});

test('a new file does not replace one that is there', async () => {
  writeFileSync(file, 'old');
  await expect(writePieces(disk, file, [Buffer.from('new')], 'wx')).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(file, 'utf8')).toBe('old');
});

test('a disk that takes a part of what is written is asked to take the rest', async () => {
  const open: typeof promises.open = async (...place) => {
    const handle = await promises.open(...place);
    const write = handle.write.bind(handle) as (...part: unknown[]) => Promise<unknown>;
    return Object.assign(handle, {
      write: (bytes: Uint8Array, from: number, length: number, position: number) =>
        write(bytes, from, Math.min(length, 3), position),
    });
  };
  const opened = await new Disk(null, { ...promises, open }).open(file, 'w');
  await opened.write(Buffer.from('ten bytes!'), 2);
  await opened.close();
  expect(readFileSync(file, 'latin1')).toBe('\0\0ten bytes!');
});
