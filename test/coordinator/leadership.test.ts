import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { CheckpointStore } from '../../src/checkpoint/store.js';
import { systemClock } from '../../src/clock.js';
import { CoordinatorError } from '../../src/coordinator/error.js';
import { EventReporter } from '../../src/coordinator/leadership/event-reporter.js';
import { Leadership, readersFence } from '../../src/coordinator/leadership/leadership.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { stateAt, thisRun } from '../checkpoint/states.js';
import { run, temporaryDirectory } from '../run/support.js';

const warn = vi.fn();
const log = { info: () => {}, warn, error: () => {} };
beforeEach(() => warn.mockClear());
const nats = run().spec.operation.nats;

/** A coordinator of the run in `root`, as far as leading and writing goes. */
async function coordinator(root: string, leaseSeconds = 30) {
  const settings = [`runsDirectory=${root}`, `lease.seconds=${leaseSeconds}`];
  const decided = run(...settings.map((each) => `spec.operation.${each}`));
  const directory = RunDirectory.open(decided, 'auto');
  directory.writeRunFile(decided);
  const deposed: unknown[] = [];
  const onDeposed = (error: unknown) => deposed.push(error);
  const leadership = await Leadership.take({
    directory,
    natsLease: null,
    leaseSeconds,
    log,
    clock: systemClock,
    onDeposed,
  });
  onTestFinished(async () => {
    await leadership.release();
    directory.release();
  });
  const store = new CheckpointStore(directory.checkpoints, { keep: 3, fence: leadership });
  const events = new EventReporter({
    run: 'test',
    directory,
    leadership,
    link: null,
    nats,
    log,
    clock: systemClock,
  });
  const save = (step: number) => store.save(stateAt(step, { term: leadership.term }), { best: false });
  return { directory, leadership, store, events, save, deposed };
}

/** Another coordinator takes the run from one that showed no sign of life. */
async function successor(root: string) {
  utimesSync(join(root, 'test', 'lock'), 0, 0);
  return coordinator(root);
}

const isDeposed = expect.objectContaining({
  code: 'COORDINATOR_DEPOSED',
  exitCode: 1,
  message: expect.stringContaining('another coordinator has taken '),
});

test('a coordinator that was replaced writes no checkpoint and no event, and is told once', async () => {
  const root = temporaryDirectory();
  const old = await coordinator(root);
  await old.save(1);
  const next = await successor(root);
  expect(next.leadership.term).toBe(old.leadership.term + 1);
  await expect(old.save(2)).rejects.toEqual(isDeposed);
  expect(() => old.leadership.check()).toThrow(isDeposed);
  const { position } = stateAt(1);
  old.events.publish(position, { type: 'run.paused' });
  next.events.publish(position, { type: 'run.resumed' });
  expect(readEvents(next.directory).map(({ term, type }) => ({ term, type }))).toEqual([
    { term: next.leadership.term, type: 'run.resumed' },
  ]);
  expect(old.deposed).toEqual([isDeposed]);
  expect(old.deposed[0]).toBeInstanceOf(CoordinatorError);
  expect((await next.store.loadNewest(thisRun))?.state.position.step).toBe(1);
});

test('a coordinator that renews its lease in time is not replaced; one that lost it finds out by itself', async () => {
  const root = temporaryDirectory();
  const old = await coordinator(root, 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(() => RunDirectory.open(run(`spec.operation.runsDirectory=${root}`), 'auto')).toThrow(
    'is in use by',
  );
  await successor(root);
  await expect.poll(() => old.deposed, { timeout: 2_000 }).toEqual([isDeposed]);
});

test('a checkpoint that slips through after the next term began is never read, nor removed', async () => {
  const root = temporaryDirectory();
  const old = await coordinator(root);
  await old.save(1);
  await old.save(2);
  const next = await successor(root);
  // Stopped between its look at the lease and the renaming: without the fence that is what it does.
  const blind = new CheckpointStore(old.directory.checkpoints, { keep: 3, fence: null });
  const late = await blind.save(stateAt(3, { term: old.leadership.term }), { best: true });
  const readers = [next.leadership, readersFence(RunDirectory.at(old.directory.path))];
  for (const fence of readers) {
    const store = new CheckpointStore(old.directory.checkpoints, { keep: 1, fence });
    expect((await store.loadNewest(thisRun))?.state.position.step).toBe(2);
    expect((await store.list()).map(({ name }) => name)).not.toContain(late.name);
  }
  // The next coordinator dies before it writes anything; the one after it does not read the late one either.
  const third = await successor(root);
  expect((await third.store.loadNewest(thisRun))?.state.position.step).toBe(2);
  for (const step of [4, 5, 6, 7]) await third.save(step);
  expect((await third.store.loadNewest(thisRun))?.state.position.step).toBe(7);
  expect(readdirSync(old.directory.checkpoints)).toContain(late.name);
});

test('a coordinator whose lock file was removed takes the lock again, says so once, and goes on', async () => {
  const root = temporaryDirectory();
  const { directory, leadership, save, deposed } = await coordinator(root);
  rmSync(join(directory.path, 'lock'));
  await save(1);
  leadership.check();
  expect(warn.mock.calls).toEqual([
    [
      'the lock of the run directory was removed; this coordinator has taken it again',
      { directory: directory.path },
    ],
  ]);
  expect(() => RunDirectory.open(run(`spec.operation.runsDirectory=${root}`), 'auto')).toThrow(
    'is in use by',
  );
  expect(deposed).toEqual([]);
  directory.release();
  expect(readdirSync(directory.path)).not.toContain('lock');
});

test('a coordinator whose lock file was removed does not take it from a successor, nor after one', async () => {
  for (const isOver of [false, true]) {
    const root = temporaryDirectory();
    const old = await coordinator(root);
    rmSync(join(root, 'test', 'lock'));
    const next = await coordinator(root);
    if (isOver) next.directory.release();
    expect(() => old.leadership.check()).toThrow(isDeposed);
    if (!isOver) next.leadership.check();
    expect(readdirSync(old.directory.path).includes('lock')).toBe(!isOver);
  }
  expect(warn).not.toHaveBeenCalled();
});

test.each<[string, (path: string) => void]>([
  ['removed', (path) => rmSync(path, { recursive: true })],
  ['moved', (path) => renameSync(path, `${path}-elsewhere`)],
  [
    'replaced by another',
    (path) => {
      renameSync(path, `${path}-elsewhere`);
      mkdirSync(path);
    },
  ],
  [
    'emptied',
    (path) => {
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
    },
  ],
])('a coordinator whose run directory was %s says so', async (_, change) => {
  const root = temporaryDirectory();
  const { directory, leadership, deposed } = await coordinator(root, 1);
  change(directory.path);
  const isGone = expect.objectContaining({
    code: 'COORDINATOR_DIRECTORY_GONE',
    exitCode: 1,
    message: expect.stringContaining(`the run directory ${directory.path} was removed, moved or emptied`),
  });
  await expect.poll(() => deposed, { timeout: 2_000 }).toEqual([isGone]);
  expect(() => leadership.check()).toThrow(isGone);
});
