import { createHash } from 'node:crypto';
import promises, { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { decodeSafetensors, type Tensor } from '../../src/checkpoint/safetensors.js';
import { readManifest, readState } from '../../src/checkpoint/state.js';
import { CheckpointStore } from '../../src/checkpoint/store.js';
import { Disk, disk } from '../../src/disk/disk.js';
import { stateAt, temporaryDirectory, thisRun } from './states.js';

let directory: string;
let store: CheckpointStore;
beforeEach(async () => {
  directory = await temporaryDirectory();
  store = new CheckpointStore(directory, { keep: 1, fence: null });
});

/** A state whose database codes fill more than two of the pieces in which files are written and read. */
function largeState() {
  const { tensors } = stateAt(1);
  const bytes = Buffer.alloc(
    (17 << 20) + 3,
    Uint8Array.from({ length: 251 }, (_, i) => i),
  );
  const data = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return stateAt(1, { tensors: { ...tensors, codes: { V: { shape: [data.length], data } } } });
}

type Read = (
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;

/** File operations whose reads are changed. */
function diskThatReads(change: (read: Read) => Read): Disk {
  const open = async (...parameters: Parameters<typeof promises.open>) => {
    const handle = await promises.open(...parameters);
    handle.read = change(handle.read.bind(handle) as Read) as typeof handle.read;
    return handle;
  };
  return new Disk(null, { ...promises, open });
}

/** Reads the saved state. */
async function read(from: Disk) {
  const path = join(directory, 'term-000001-step-0000000001');
  return readState(from, path, await readManifest(disk, path), thisRun);
}

test('a large state comes back as it was', async () => {
  const state = largeState();
  const { name, bytes } = await store.save(state, { best: false });
  expect(bytes).toBeGreaterThan(17 << 20);
  const file = await readFile(join(directory, name, 'codes.safetensors'));
  const { files } = await readManifest(disk, join(directory, name));
  expect(files.find((entry) => entry.name === 'codes.safetensors')).toEqual({
    name: 'codes.safetensors',
    bytes: file.length,
    sha256: createHash('sha256').update(file).digest('hex'),
  });
  const found = await read(disk);
  const bytesOf = ({ data }: Tensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  expect(Buffer.compare(bytesOf(found.tensors.codes.V!), bytesOf(state.tensors.codes.V!))).toBe(0);
});

test('a system that reads less than it is asked for loses nothing', async () => {
  await store.save(stateAt(1), { best: false });
  const short = diskThatReads(
    (whole) => (buffer, offset, length, position) => whole(buffer, offset, Math.min(7, length), position),
  );
  expect(await read(short)).toEqual(stateAt(1));
});

test('a file that becomes shorter while it is read is damaged', async () => {
  await store.save(stateAt(1), { best: false });
  const shrinking = diskThatReads(() => async () => ({ bytesRead: 0 }));
  await expect(read(shrinking)).rejects.toMatchObject({
    code: 'CHECKPOINT_DAMAGED',
    message: expect.stringMatching(/^\w+\.safetensors ends at byte 0, expected \d+ bytes$/),
  });
});

test('a file that a disk cannot read is damaged, and the error keeps the cause', async () => {
  await store.save(stateAt(1), { best: false });
  const cause = new Error('EIO: i/o error, read');
  await expect(read(diskThatReads(() => () => Promise.reject(cause)))).rejects.toMatchObject({
    code: 'CHECKPOINT_DAMAGED',
    exitCode: 65,
    message: expect.stringMatching(/^\w+\.safetensors cannot be read: EIO: i\/o error, read$/),
    cause,
  });
});

test('every file that was opened is closed, also where one is damaged', async () => {
  const handles: promises.FileHandle[] = [];
  const open = async (...parameters: Parameters<typeof promises.open>) => {
    const handle = await promises.open(...parameters);
    handles.push(handle);
    return handle;
  };
  const recording = new Disk(null, { ...promises, open });
  const isClosed = ({ fd }: promises.FileHandle) => fd === -1;
  const watched = new CheckpointStore(directory, { keep: 1, fence: null }, () => recording);
  const { name } = await watched.save(stateAt(1), { best: false });
  const written = handles.length;
  expect(written).toBeGreaterThan(6);
  expect(handles.every(isClosed)).toBe(true);
  await truncate(join(directory, name, 'codes.safetensors'), 8);
  await expect(read(recording)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' });
  await vi.waitUntil(() => handles.every(isClosed));
  expect(handles.length).toBe(written + 3);
});

test('a file of which the manifest says nothing is not read', async () => {
  await store.save(stateAt(1), { best: false });
  const path = join(directory, 'term-000001-step-0000000001');
  const manifest = await readManifest(disk, path);
  const files = manifest.files.filter(({ name }) => name !== 'optimizer.safetensors');
  await expect(readState(disk, path, { ...manifest, files }, thisRun)).rejects.toMatchObject({
    code: 'CHECKPOINT_DAMAGED',
    message: 'the manifest does not name optimizer.safetensors',
  });
});

test('a checkpoint without its manifest names it and keeps the cause', async () => {
  await expect(readManifest(disk, directory)).rejects.toMatchObject({
    code: 'CHECKPOINT_DAMAGED',
    message: `manifest.json cannot be read: ENOENT: no such file or directory, open '${join(directory, 'manifest.json')}'`,
    cause: { code: 'ENOENT' },
  });
});

test.each(['weights', 'optimizer', 'codes'] as const)(
  'the file of the %s says what it holds',
  async (group) => {
    const { name } = await store.save(stateAt(1), { best: false });
    const file = `${group}.safetensors`;
    const { tensors, metadata } = decodeSafetensors(await readFile(join(directory, name, file)), file);
    expect(tensors).toEqual(stateAt(1).tensors[group]);
    expect(metadata).toEqual({ format: 'fcaenet', group });
  },
);

test('latest and best are text files of one line', async () => {
  const { name } = await store.save(stateAt(1), { best: true });
  for (const pointer of ['latest', 'best']) {
    expect(await readFile(join(directory, pointer), 'utf8')).toBe(`${name}\n`);
  }
});

test('pointers may have space around their line', async () => {
  const { name } = await store.save(stateAt(1), { best: false });
  await writeFile(join(directory, 'best'), ` ${name}\r\n`);
  expect(await store.list()).toMatchObject([{ name, latest: true, best: true }]);
});
