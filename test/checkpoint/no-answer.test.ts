import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AbandonedWrite, CheckpointStore } from '../../src/checkpoint/store.js';
import { Disk } from '../../src/disk/disk.js';
import { DiskWatch } from '../../src/disk/watch.js';
import { failure } from '../kit/failure.js';
import { HangingDisk } from '../kit/hanging-disk.js';
import { leftovers, stateAt, temporaryDirectory, thisRun } from './states.js';

let directory: string;
beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'checkpoints');
  // Only the watch's own: files are written in real time.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => void vi.useRealTimers());

const storeOn = (disk: HangingDisk) =>
  new CheckpointStore(
    directory,
    { keep: 1, fence: null },
    (patienceSeconds) => new Disk(patienceSeconds, disk.system, new DiskWatch(async () => {})),
  );
const loaded = () => new CheckpointStore(directory, { keep: 1, fence: null }).loadNewest(thisRun);

/** What may not answer, and at which of its calls; each is called at least as often for one checkpoint. */
const operations = [
  ...[1, 2].map((call) => ['mkdir', call] as const),
  ...[1, 2, 3, 4, 5, 6].map((call) => ['open', call] as const),
  ...[1, 2, 3, 4, 5, 6].map((call) => ['writeFile', call] as const),
  ...[1, 4, 5, 6, 7, 8].map((call) => ['sync', call] as const),
  ...[1, 5, 7].map((call) => ['close', call] as const),
  ...[1, 2].map((call) => ['rename', call] as const),
  ...[1, 2].map((call) => ['rm', call] as const),
  ...[1, 2, 3].map((call) => ['readdir', call] as const),
  ...[1].map((call) => ['readFile', call] as const),
];

describe.each(operations)('%s, call %i, does not answer', (name, held) => {
  test('the checkpoint is written anew, and the late answer does it no harm', async () => {
    const disk = new HangingDisk(name, (call) => call === held);
    const abandoned: AbandonedWrite[] = [];
    const saved = storeOn(disk).save(stateAt(2), {
      best: false,
      onAbandoned: (write) => abandoned.push(write),
    });
    await disk.heldDuring(saved);
    await vi.advanceTimersByTimeAsync(119_000);
    expect(abandoned).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    const { name: checkpoint } = await saved;
    expect(abandoned).toEqual([
      { name: checkpoint, reason: expect.stringMatching(/ did not answer within 120 s$/) },
    ]);
    expect(await loaded()).toMatchObject({ name: checkpoint, state: stateAt(2), rejected: [] });
    await disk.release();
    expect(await loaded()).toMatchObject({ name: checkpoint, state: stateAt(2), rejected: [] });
  });
});

test('the files of a write that was given up stay for its late answer; the next process removes them', async () => {
  const disk = new HangingDisk('sync', (call) => call === 1);
  const saved = storeOn(disk).save(stateAt(2), { best: false });
  await disk.heldDuring(saved);
  await vi.advanceTimersByTimeAsync(120_000);
  const { name } = await saved;
  expect(await leftovers(directory)).toEqual([`.tmp-${name}`]);
  expect(await readdir(join(directory, `.tmp-${name}`))).toEqual(['weights.safetensors']);
  await new CheckpointStore(directory, { keep: 1, fence: null }).save(stateAt(3), { best: false });
  expect(await leftovers(directory)).toEqual([]);
});

test('a disk that never answers again ends the attempts with a sentence; earlier checkpoints are untouched', async () => {
  await new CheckpointStore(directory, { keep: 1, fence: null }).save(stateAt(1), { best: false });
  const before = await readdir(directory);
  const disk = new HangingDisk('sync', () => true);
  const abandoned = vi.fn();
  const saved = storeOn(disk).save(stateAt(2), { best: false, onAbandoned: abandoned });
  const refused = expect(saved).rejects.toEqual(
    failure('CHECKPOINT_WRITE', /fsync of \S+weights\.safetensors did not answer within 480 s$/),
  );
  for (const seconds of [120, 240, 480]) {
    await disk.heldDuring(saved);
    await vi.advanceTimersByTimeAsync(1000 * seconds);
  }
  await refused;
  // Another process may find the disk well.
  await expect(saved).rejects.toMatchObject({ exitCode: 1 });
  expect(abandoned).toHaveBeenCalledTimes(2);
  expect(await readdir(directory)).toEqual(expect.arrayContaining(before));
  expect(await loaded()).toMatchObject({ state: stateAt(1) });
  await new CheckpointStore(directory, { keep: 1, fence: null }).save(stateAt(3), { best: false });
  expect(await leftovers(directory)).toEqual([]);
  // The descriptors are closed when the disk answers after all.
  await disk.release();
});
