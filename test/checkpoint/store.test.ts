import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { readManifest, readState } from '../../src/checkpoint/state.js';
import { CheckpointStore } from '../../src/checkpoint/store.js';
import { disk } from '../../src/disk/disk.js';
import { failure } from '../kit/failure.js';
import { flipBit, leftovers, stateAt, temporaryDirectory, thisRun } from './states.js';

let directory: string;
let store: CheckpointStore;
beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'checkpoints');
  store = new CheckpointStore(directory, { keep: 3, fence: null });
});

const nameOf = (step: number, term = 1) =>
  `term-${String(term).padStart(6, '0')}-step-${String(step).padStart(10, '0')}`;
const checkpoints = async () =>
  (await readdir(directory)).filter((entry) => entry.startsWith('term-')).sort();
const pointer = async (name: string) => (await readFile(join(directory, name), 'utf8')).trim();
const fresh = () => new CheckpointStore(directory, { keep: 3, fence: null });

test('a state comes back as it was, to the bit', async () => {
  const state = stateAt(7, { identity: null });
  const start = performance.now();
  const saved = await store.save(state, { best: false });
  expect(saved.seconds).toBeLessThanOrEqual((performance.now() - start) / 1000);
  expect(saved.name).toBe(nameOf(7));
  const sizes = await Promise.all(
    (await readdir(join(directory, saved.name))).map((file) => stat(join(directory, saved.name, file))),
  );
  expect(saved.bytes).toBe(sizes.reduce((sum, { size }) => sum + size, 0));
  expect(saved.seconds).toBeGreaterThan(0);
  expect(await fresh().loadNewest(thisRun)).toEqual({
    state,
    name: saved.name,
    created: expect.any(Date),
    rejected: [],
  });
});

test('a checkpoint that names no version, as earlier ones do, can be loaded', async () => {
  const state = stateAt(7, { version: null });
  await store.save(state, { best: false });
  expect(await fresh().loadNewest(thisRun)).toMatchObject({ state, rejected: [] });
});

test('a run without checkpoints has none to load', async () => {
  expect(await store.loadNewest(thisRun)).toBeNull();
  expect(await store.list()).toEqual([]);
  await mkdir(directory);
  expect(await store.loadNewest(thisRun)).toBeNull();
});

test('weights open as a plain tensor file', async () => {
  const state = stateAt(1);
  const { name } = await store.save(state, { best: false });
  const file = 'weights.safetensors';
  const { tensors } = decodeSafetensors(await readFile(join(directory, name, file)), file);
  expect(tensors).toEqual(state.tensors.weights);
});

test('the newest of the highest term is loaded: a deposed leader’s later writes do not count', async () => {
  await store.save(stateAt(5, { term: 2 }), { best: false });
  await store.save(stateAt(9), { best: false });
  await store.save(stateAt(4, { term: 2 }), { best: false });
  expect((await fresh().loadNewest(thisRun))?.name).toBe(nameOf(5, 2));
});

test('the newest, the latest and the best stay', async () => {
  for (let step = 1; step <= 6; step++) await store.save(stateAt(step), { best: step === 2 });
  expect(await checkpoints()).toEqual([2, 4, 5, 6].map((step) => nameOf(step)));
  expect(await pointer('latest')).toBe(nameOf(6));
  expect(await pointer('best')).toBe(nameOf(2));
  const list = await store.list();
  expect(list.map(({ name, latest, best }) => [name, latest, best])).toEqual([
    [nameOf(6), true, false],
    [nameOf(5), false, false],
    [nameOf(4), false, false],
    [nameOf(2), false, true],
  ]);
  expect(list[3]!.manifest).toMatchObject({ metrics: { mAP: 0.02 }, position: { globalStep: 2 } });

  await store.save(stateAt(7), { best: true });
  expect(await checkpoints()).toEqual([5, 6, 7].map((step) => nameOf(step)));
  expect(await leftovers(directory)).toEqual([]);
});

test('saves that are asked for at once run one after another', async () => {
  await Promise.all([1, 2, 3, 4, 5].map((step) => store.save(stateAt(step), { best: false })));
  expect(await pointer('latest')).toBe(nameOf(5));
  expect(await checkpoints()).toEqual([3, 4, 5].map((step) => nameOf(step)));
});

test('saving the same step again replaces it', async () => {
  await store.save(stateAt(3), { best: false });
  const again = stateAt(3, { history: ['again'] });
  await store.save(again, { best: true });
  expect(await store.loadNewest(thisRun)).toEqual({
    state: again,
    name: nameOf(3),
    created: expect.any(Date),
    rejected: [],
  });
  expect(await checkpoints()).toEqual([nameOf(3)]);
  expect(await leftovers(directory)).toEqual([]);
});

const files = [
  'manifest.json',
  'weights.safetensors',
  'optimizer.safetensors',
  'codes.safetensors',
  'history.json',
];
const damages: [string, (path: string) => Promise<void>][] = [
  ['one flipped bit', flipBit],
  ['a cut end', async (path) => truncate(path, (await stat(path)).size - 1)],
  ['a byte too many', (path) => appendFile(path, ' ')],
  ['no content', (path) => truncate(path, 0)],
  ['no file', (path) => rm(path)],
];
test.each(files.flatMap((file) => damages.map(([what, damage]) => ({ file, what, damage }))))(
  '$file with $what: the checkpoint is refused and the one before is used',
  async ({ file, damage }) => {
    await store.save(stateAt(1), { best: false });
    await store.save(stateAt(2), { best: false });
    await damage(join(directory, nameOf(2), file));
    const loaded = await fresh().loadNewest(thisRun);
    expect(loaded).toMatchObject({ state: stateAt(1), name: nameOf(1) });
    expect(loaded!.rejected).toEqual([
      {
        name: nameOf(2),
        globalStep: 2,
        reason: expect.stringContaining(file === 'manifest.json' ? 'manifest' : file),
      },
    ]);
  },
);

test('a file that is not what was written is told apart from one that is not there', async () => {
  const { name } = await store.save(stateAt(1), { best: false });
  const file = join(directory, name, 'weights.safetensors');
  await flipBit(file);
  const read = async () => {
    const path = join(directory, name);
    return readState(disk, path, await readManifest(disk, path), thisRun);
  };
  await expect(read()).rejects.toEqual(failure('CHECKPOINT_DAMAGED', /^weights\.safetensors has SHA-256 /));
  await truncate(file, 8);
  await expect(read()).rejects.toEqual(failure('CHECKPOINT_DAMAGED', 'weights.safetensors has 8 bytes'));
  await rm(file);
  await expect(read()).rejects.toEqual(failure('CHECKPOINT_DAMAGED', 'weights.safetensors cannot be read'));
});

test('every file belongs to its own checkpoint', async () => {
  await store.save(stateAt(1), { best: false });
  await store.save(stateAt(2), { best: false });
  const weights = await readFile(join(directory, nameOf(1), 'weights.safetensors'));
  await writeFile(join(directory, nameOf(2), 'weights.safetensors'), weights);
  expect((await fresh().loadNewest(thisRun))!.rejected[0]!.reason).toContain('SHA-256');
});

test('after a damaged checkpoint training goes on, and its end is what is kept', async () => {
  store = new CheckpointStore(directory, { keep: 1, fence: null });
  await store.save(stateAt(1), { best: true });
  await store.save(stateAt(5), { best: false });
  await flipBit(join(directory, nameOf(5), 'weights.safetensors'));
  const resumed = new CheckpointStore(directory, { keep: 1, fence: null });
  expect((await resumed.loadNewest(thisRun))!.name).toBe(nameOf(1));
  await resumed.save(stateAt(3), { best: false });
  expect((await fresh().loadNewest(thisRun))!.name).toBe(nameOf(3));
  await resumed.save(stateAt(5), { best: false });
  expect(await fresh().loadNewest(thisRun)).toEqual({
    state: stateAt(5),
    name: nameOf(5),
    created: expect.any(Date),
    rejected: [],
  });
});

test.each([
  [
    'trainingHash',
    { trainingHash: 'another-run' },
    'it is of a run with other settings: the trainingHash is another-run, expected hash-of-this-run',
  ],
  [
    'arithmetic version',
    { arithmeticVersion: 2 },
    'it is of a version that computes other bits: the arithmeticVersion is 2, expected 1',
  ],
])('a checkpoint of another %s is passed over', async (_, change, reason) => {
  await store.save(stateAt(1), { best: false });
  await store.save(stateAt(2, change), { best: false });
  const loaded = await fresh().loadNewest(thisRun);
  expect(loaded!.name).toBe(nameOf(1));
  expect(loaded!.rejected[0]!.reason).toContain(reason);
});

test('where nothing can be used, the error says why', async () => {
  await store.save(stateAt(2, { trainingHash: 'another-run' }), { best: false });
  await expect(fresh().loadNewest(thisRun)).rejects.toThrow(
    expect.objectContaining({
      code: 'CHECKPOINT_NONE_USABLE',
      exitCode: 78,
      message: expect.stringMatching(/none of 1 checkpoints .* another-run, expected hash-of-this-run\)$/),
    }),
  );
  await store.save(stateAt(3), { best: false });
  await rm(join(directory, nameOf(3), 'codes.safetensors'));
  await expect(fresh().loadNewest(thisRun)).rejects.toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_NONE_USABLE', exitCode: 65 }),
  );
});

test('unfinished writes are ignored by readers and removed by the next writer', async () => {
  await store.save(stateAt(1), { best: false });
  await mkdir(join(directory, `.tmp-${nameOf(2)}`));
  await writeFile(join(directory, `.tmp-${nameOf(2)}`, 'weights.safetensors'), 'half');
  await writeFile(join(directory, '.tmp-latest'), 'half');
  expect((await fresh().loadNewest(thisRun))!.name).toBe(nameOf(1));
  expect((await leftovers(directory)).length).toBe(2);
  await fresh().save(stateAt(2), { best: false });
  expect(await leftovers(directory)).toEqual([]);
});

test('a checkpoint that was about to be replaced counts until it is', async () => {
  await store.save(stateAt(1), { best: false });
  await rename(join(directory, nameOf(1)), join(directory, `.replaced-${nameOf(1)}`));
  expect(await fresh().loadNewest(thisRun)).toMatchObject({ name: nameOf(1), rejected: [] });
  await fresh().save(stateAt(2), { best: false });
  expect(await checkpoints()).toEqual([nameOf(1), nameOf(2)]);
  expect(await leftovers(directory)).toEqual([]);
});

test.each(['best', 'latest'])(
  'where %s cannot be read nothing is removed, and the error says so',
  async (name) => {
    for (const step of [1, 2, 3]) await store.save(stateAt(step), { best: step === 1 });
    await rm(join(directory, name));
    // Leads to itself: not even root can follow it.
    await symlink(name, join(directory, name));
    const unreadable = failure('CHECKPOINT_READ', `${join(directory, name)} cannot be read: ELOOP`);
    await expect(fresh().list()).rejects.toThrow(unreadable);
    await store.save(stateAt(4), { best: false }).catch(() => {});
    expect(await checkpoints()).toContain(nameOf(1));
  },
);

test('pointers that lead nowhere do no harm', async () => {
  await store.save(stateAt(1), { best: false });
  await writeFile(join(directory, 'latest'), `${nameOf(99)}\n`);
  await writeFile(join(directory, 'best'), '../../elsewhere\n');
  expect((await fresh().loadNewest(thisRun))!.name).toBe(nameOf(1));
  await fresh().save(stateAt(2), { best: false });
  expect(await pointer('latest')).toBe(nameOf(2));
});

test('a directory that cannot be made or read is an error of one sentence', async () => {
  await writeFile(directory, 'a file');
  await expect(store.save(stateAt(1), { best: false })).rejects.toThrow(
    expect.objectContaining({
      code: 'CHECKPOINT_WRITE',
      exitCode: 73,
      message: expect.stringContaining(`checkpoint ${nameOf(1)} cannot be written: `),
    }),
  );
  await expect(store.loadNewest(thisRun)).rejects.toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_READ' }),
  );
});

test('a state that cannot be read back is not written, and the next one is', async () => {
  await store.save(stateAt(1), { best: false });
  await expect(store.save(stateAt(2, { metrics: { mAP: Number.NaN } }), { best: false })).rejects.toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_WRITE', message: expect.stringContaining('metrics.mAP') }),
  );
  expect(await leftovers(directory)).toEqual([]);
  await store.save(stateAt(3), { best: false });
  expect(await checkpoints()).toEqual([nameOf(1), nameOf(3)]);
});
