import { mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { CheckpointStore, type Fence } from '../../src/checkpoint/store.js';
import { flipBit, leftovers, stateAt, temporaryDirectory, thisRun } from './states.js';

// Which checkpoint is loaded, and what a coordinator that was replaced may still do.

let directory: string;
let store: CheckpointStore;
beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'checkpoints');
  store = new CheckpointStore(directory, { keep: 9, fence: null });
});

const nameOf = (step: number, term = 1) =>
  `term-${String(term).padStart(6, '0')}-step-${String(step).padStart(10, '0')}`;
const fenced = (fence: Partial<Fence>, keep = 9) =>
  new CheckpointStore(directory, { keep, fence: { accepts: () => true, check: () => {}, ...fence } });
async function saved(...steps: number[]): Promise<void> {
  for (const step of steps) await store.save(stateAt(step), { best: false });
}

test.each([
  [{ least: 2, most: 4 }, 4],
  [{ least: 4, most: 4 }, 4],
  [{ least: 0, most: 3 }, 2],
  [{ least: 6, most: 6 }, 6],
])('within the bounds %o the newest checkpoint has step %i', async (steps, newest) => {
  await saved(2, 4, 6);
  expect((await store.loadNewest({ ...thisRun, steps }))!.name).toBe(nameOf(newest));
});

test.each([
  { least: 7, most: 9 },
  { least: 0, most: 1 },
])('outside of all steps, as in %o, there is no checkpoint', async (steps) => {
  await saved(2, 4, 6);
  expect(await store.loadNewest({ ...thisRun, steps })).toBeNull();
});

test('a checkpoint comes with its companion, and one without it is passed over', async () => {
  await saved(1, 2);
  const loaded = await store.loadNewest(thisRun, async ({ position }) => {
    if (position.step === 2) throw new Error('the ledger is gone');
    return `companion of ${position.step}`;
  });
  expect(loaded).toMatchObject({
    name: nameOf(1),
    companion: 'companion of 1',
    rejected: [{ name: nameOf(2), globalStep: 2, reason: 'the ledger is gone' }],
  });
});

test('a checkpoint says when it was written', async () => {
  const before = Date.now();
  await saved(1);
  const created = (await store.loadNewest(thisRun))!.created.getTime();
  expect(created).toBeGreaterThanOrEqual(before);
  expect(created).toBeLessThanOrEqual(Date.now());
});

test('where no checkpoint can be used, one sentence names each with its reason', async () => {
  await store.save(stateAt(1, { trainingHash: 'another-run' }), { best: false });
  await saved(2);
  await truncate(join(directory, nameOf(2), 'history.json'), 0);
  const size = JSON.stringify(stateAt(2).history).length;
  await expect(store.loadNewest(thisRun)).rejects.toMatchObject({
    name: 'CheckpointError',
    code: 'CHECKPOINT_NONE_USABLE',
    exitCode: 65,
    message:
      `none of 2 checkpoints in ${directory} can be used (${nameOf(2)}: history.json has 0 bytes, expected ${size}; ` +
      `${nameOf(1)}: it is of a run with other settings: the trainingHash is another-run, expected hash-of-this-run)`,
  });
});

test('a list shows a checkpoint whose manifest cannot be read without one', async () => {
  await saved(1, 2);
  await flipBit(join(directory, nameOf(1), 'manifest.json'));
  expect(await store.list()).toEqual([
    { name: nameOf(2), latest: true, best: false, manifest: expect.objectContaining({ term: 1 }) },
    { name: nameOf(1), latest: false, best: false, manifest: null },
  ]);
});

test('what is no checkpoint is neither loaded nor removed', async () => {
  await mkdir(join(directory, 'term-1-step-2'), { recursive: true });
  await writeFile(join(directory, 'notes.txt'), 'mine');
  expect(await store.loadNewest(thisRun)).toBeNull();
  await new CheckpointStore(directory, { keep: 1, fence: null }).save(stateAt(1), { best: false });
  expect((await store.list()).map(({ name }) => name)).toEqual([nameOf(1)]);
  await rm(join(directory, 'notes.txt'));
  await rm(join(directory, 'term-1-step-2'), { recursive: true });
});

test('a replaced checkpoint that a kill left beside its successor is not loaded, and the next writer removes it', async () => {
  await saved(1);
  await mkdir(join(directory, `.replaced-${nameOf(1)}`));
  expect(await store.loadNewest(thisRun)).toMatchObject({ state: stateAt(1), rejected: [] });
  await new CheckpointStore(directory, { keep: 9, fence: null }).save(stateAt(2), { best: false });
  expect(await leftovers(directory)).toEqual([]);
  expect((await store.list()).map(({ name }) => name)).toEqual([nameOf(2), nameOf(1)]);
});

test('the newest counts while it is about to be replaced', async () => {
  await saved(1, 2);
  await rename(join(directory, nameOf(2)), join(directory, `.replaced-${nameOf(2)}`));
  expect(await store.loadNewest(thisRun)).toMatchObject({ name: nameOf(2), state: stateAt(2) });
  expect((await store.list()).map(({ name }) => name)).toEqual([nameOf(2), nameOf(1)]);
});

test('terms and steps are compared as numbers, also where their names have more digits', async () => {
  const [term, step] = [1_000_000, 10_000_000_000];
  for (const change of [{ term: 999_999 }, { term }]) await store.save(stateAt(3, change), { best: false });
  await store.save(stateAt(2, { term, position: { ...stateAt(2).position, globalStep: step } }), {
    best: false,
  });
  const list = await store.list();
  expect(list.map(({ name }) => name)).toEqual([nameOf(step, term), nameOf(3, term), nameOf(3, 999_999)]);
});

test('what was just written stays, also when there are newer checkpoints', async () => {
  await saved(5, 6);
  await new CheckpointStore(directory, { keep: 1, fence: null }).save(stateAt(3), { best: false });
  expect((await store.list()).map(({ name, latest }) => [name, latest])).toEqual([
    [nameOf(6), false],
    [nameOf(3), true],
  ]);
});

test('checkpoints that could not be loaded are neither counted nor removed', async () => {
  await saved(1, 2, 5, 6);
  for (const step of [5, 6]) await flipBit(join(directory, nameOf(step), 'manifest.json'));
  const resumed = new CheckpointStore(directory, { keep: 2, fence: null });
  expect((await resumed.loadNewest(thisRun))!.name).toBe(nameOf(2));
  await resumed.save(stateAt(3), { best: false });
  expect((await resumed.list()).map(({ name }) => name)).toEqual([6, 5, 3, 2].map((step) => nameOf(step)));
});

test('a folder that cannot be read is named with the system’s reason', async () => {
  await writeFile(directory, 'a file');
  await expect(store.loadNewest(thisRun)).rejects.toMatchObject({
    code: 'CHECKPOINT_READ',
    exitCode: 74,
    message: `${directory} cannot be read: ENOTDIR: not a directory, scandir '${directory}'`,
    cause: { code: 'ENOTDIR' },
  });
});

test('a checkpoint that the fence does not accept is not loaded, not listed and not removed', async () => {
  await saved(1, 2, 3);
  const behind = fenced({ accepts: (term, name) => term === 1 && name !== nameOf(2) }, 1);
  expect((await behind.list()).map(({ name }) => name)).toEqual([nameOf(3), nameOf(1)]);
  await behind.save(stateAt(4), { best: false });
  expect((await store.list()).map(({ name }) => name)).toEqual([nameOf(4), nameOf(2)]);
  expect(await fenced({ accepts: () => false }).loadNewest(thisRun)).toBeNull();
});

test.each([
  ['before it writes', 1, []],
  ['while it writes its files', 2, []],
  ['before it moves latest', 3, [nameOf(1)]],
])('a coordinator that is replaced %s ends with that error', async (_, refusedCheck, published) => {
  let checks = 0;
  const replaced = new Error('another coordinator has taken over');
  const behind = fenced({
    check: () => {
      if (++checks >= refusedCheck) throw replaced;
    },
  });
  await expect(behind.save(stateAt(1), { best: true })).rejects.toBe(replaced);
  const list = await store.list();
  expect(list.map(({ name }) => name)).toEqual(published);
  expect(list.some(({ latest, best }) => latest || best)).toBe(false);
  expect(await leftovers(directory).catch(() => [])).toEqual([]);
});
