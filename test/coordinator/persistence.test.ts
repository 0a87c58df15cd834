import { readFileSync, writeFileSync } from 'node:fs';
import promises, { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import {
  RunCheckpoints,
  type RunCheckpointsOptions,
} from '../../src/coordinator/checkpoints/run-checkpoints.js';
import { RunState } from '../../src/coordinator/training/run-state.js';
import type { Dataset } from '../../src/data/dataset.js';
import { Disk } from '../../src/disk/disk.js';
import { DiskWatch } from '../../src/disk/watch.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { describeRunModel } from '../../src/model/layout.js';
import { readTrainingRun } from '../../src/run/read.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { failure } from '../kit/failure.js';
import { HangingDisk } from '../kit/hanging-disk.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const fence = { check: () => {}, accepts: () => true };
const notify = () => {};
const origin = { identity: null, version: '0.1.0' };
const ledger = { sync: async () => 'f'.repeat(64) } as unknown as Ledger;
const dataset = { fingerprint: 'd', root: 'data' } as Dataset;

let root: string;
let directory: RunDirectory;
const run = () => readTrainingRun('examples/quick.yaml', [`spec.operation.runsDirectory=${root}`]);
const layoutOf = ({ spec }: ReturnType<typeof run>) => describeRunModel(spec);
const open = (options: Partial<RunCheckpointsOptions> = {}) =>
  new RunCheckpoints({
    run: run(),
    directory,
    dataset,
    layout: layoutOf(run()),
    term: 1,
    fence,
    log,
    clock: systemClock,
    ...options,
  });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fcaenet-persistence-'));
  directory = RunDirectory.open(run(), 'auto');
});
afterEach(async () => {
  directory.release();
  await rm(root, { recursive: true, force: true });
});

/** A state whose every number is `value`. */
function stateOf(value: number): RunState {
  const { spec } = run();
  const layout = layoutOf(run());
  const statistics = () => new Float32Array(layout.statisticsCount).fill(value);
  const parameters = new Float32Array(layout.parameterCount).fill(value);
  const state = RunState.initial(spec, { parameters, mean: statistics(), variance: statistics() }, 6);
  state.optimizer.buffer.fill(value);
  state.position = { ...state.position, globalStep: value };
  return state;
}

/** Sets every number of a state, as the training loop does between two checkpoints. */
function change(state: RunState, value: number): void {
  for (const array of [state.weights.parameters, state.weights.mean, state.optimizer.buffer])
    array.fill(value);
  state.position = { ...state.position, globalStep: value };
}

const isAll = (values: Float32Array, value: number) => values.every((each) => each === value);

test('a checkpoint holds the state of its moment, however the state changes while it is written', async () => {
  const checkpoints = open();
  const state = stateOf(1);
  // Three callers at once, as when a person asks for one while the loop takes its own.
  const saved = [1, 2, 3].map((value) =>
    checkpoints.saveAndWait(state, origin, ledger, notify).then((name) => ({ name, value })),
  );
  for (const [index, each] of saved.entries()) {
    await each;
    change(state, index + 2);
  }
  await checkpoints.settled();
  const restored = (await open().restore(null))!;
  const value = restored.state.position.globalStep;
  expect(restored.name).toMatch(new RegExp(`step-0*${value}$`));
  expect(isAll(restored.state.weights.parameters, value)).toBe(true);
  expect(isAll(restored.state.weights.mean, value)).toBe(true);
  expect(isAll(restored.state.optimizer.buffer, value)).toBe(true);
});

test('a checkpoint holds the hash function of a method on features, to the bit', async () => {
  const hash = { mean: { rows: 1, columns: 3, data: Float64Array.of(0.1, -0, 1e-300) } };
  for (const [step, learned] of [
    [1, hash],
    [2, null],
  ] as const) {
    const state = stateOf(step);
    state.hash = learned;
    await open().saveAndWait(state, origin, ledger, notify);
    expect((await open().restore(null))!.state.hash).toEqual(learned);
  }
});

test('a checkpoint holds the query codes of its database codes, if they were ranked', async () => {
  for (const [step, queryCodes] of [
    [1, Int8Array.from({ length: 2 * run().spec.bits }, (_, i) => (i % 3 === 0 ? 1 : -1))],
    [2, null],
  ] as const) {
    const state = stateOf(step);
    state.queryCodes = queryCodes;
    await open().saveAndWait(state, origin, ledger, notify);
    expect((await open().restore(null))!.state.queryCodes).toEqual(queryCodes);
  }
});

test('what is restored can be trained on and saved again', async () => {
  await open().saveAndWait(stateOf(1), origin, ledger, notify);
  const { state } = (await open().restore(null))!;
  change(state, 5);
  await open().saveAndWait(state, origin, ledger, notify);
  const { state: again } = (await open().restore(null))!;
  expect(again.position.globalStep).toBe(5);
  expect(isAll(again.weights.parameters, 5)).toBe(true);
  expect(isAll(again.weights.variance, 1)).toBe(true);
  expect(again.codes).toEqual(state.codes);
});

test('training goes on while a checkpoint is written that the disk does not answer for, but not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    // Of the first two attempts, none gets its name.
    const disk = new HangingDisk('rename', (call) => call === 1 || call === 2);
    const warnings: unknown[] = [];
    const told: string[] = [];
    const checkpoints = open({
      log: { ...log, warn: (message, fields) => warnings.push({ message, ...fields }) },
      diskOf: (patienceSeconds) => new Disk(patienceSeconds, disk.system, new DiskWatch(async () => {})),
    });
    await checkpoints.saveInBackground(stateOf(1), origin, ledger, ({ type }) => told.push(type));
    await disk.held;
    await vi.advanceTimersByTimeAsync(120_000);
    await disk.held;
    expect(told).toEqual(['checkpoint.abandoned']);
    expect(warnings).toEqual([
      {
        message: 'checkpoint not written in time; writing it again',
        name: 'term-000001-step-0000000001',
        reason: expect.stringMatching(/^rename of \S+ did not answer within 120 s$/),
      },
    ]);
    for (let step = 2; step <= 1001; step++) await checkpoints.beforeFinishing(step);
    const next = checkpoints.beforeFinishing(1002).then(() => 'finished');
    expect(await Promise.race([next, setImmediate('held')])).toBe('held');
    await vi.advanceTimersByTimeAsync(240_000);
    expect(await next).toBe('finished');
    expect(told).toEqual(['checkpoint.abandoned', 'checkpoint.abandoned', 'checkpoint.written']);
    expect((await open().restore(null))!.state.position.globalStep).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

/** A disk that has no room for so many checkpoints. */
function fullDisk(writes: number): (patienceSeconds: number | null) => Disk {
  const rename: typeof promises.rename = async (from, to) => {
    if (writes-- > 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    return promises.rename(from, to);
  };
  return (patienceSeconds) => new Disk(patienceSeconds, { ...promises, rename });
}

describe('a checkpoint that cannot be written', () => {
  const failed = (step: number) =>
    failure('CHECKPOINT_WRITE', new RegExp(`step-000000000${step} cannot be written: ENOSPC`));
  const warnings: unknown[] = [];
  const warned = { ...log, warn: (message: string, fields = {}) => warnings.push({ message, ...fields }) };
  beforeEach(() => {
    warnings.length = 0;
  });

  test('is told of at once, and the run goes on if there is room for the next', async () => {
    const checkpoints = open({ log: warned, diskOf: fullDisk(1) });
    const state = stateOf(1);
    state.history.push({ evaluation: { mAP: 0.5 } } as RunState['history'][number]);
    await checkpoints.saveInBackground(state, origin, ledger, notify);
    await expect(checkpoints.settled()).rejects.toEqual(failed(1));
    expect(warnings).toEqual([
      {
        message: 'checkpoint not written',
        reason: expect.stringMatching(/step-0000000001 cannot be written: ENOSPC/),
        remedy: expect.stringContaining('ends if that cannot be written either'),
      },
    ]);
    state.position = { ...state.position, globalStep: 2 };
    await checkpoints.saveInBackground(state, origin, ledger, notify);
    expect(await checkpoints.settled()).toMatch(/step-0000000002$/);
    // The first was the best, but it is not there.
    expect(readFileSync(join(directory.checkpoints, 'best'), 'utf8')).toMatch(/step-0000000002\n?$/);
    expect(warnings).toHaveLength(1);
  });

  test('ends the run when the next one cannot be written either', async () => {
    const checkpoints = open({ log: warned, diskOf: fullDisk(2) });
    for (const step of [1, 2]) await checkpoints.saveInBackground(stateOf(step), origin, ledger, notify);
    await expect(checkpoints.saveInBackground(stateOf(3), origin, ledger, notify)).rejects.toEqual(failed(2));
    expect(warnings).toHaveLength(1);
  });

  test('holds a run that may not go on without one', async () => {
    const decided = readTrainingRun('examples/quick.yaml', ['spec.operation.checkpoint.everySteps=2']);
    const checkpoints = open({ run: decided, log: warned, diskOf: fullDisk(1) });
    await checkpoints.saveInBackground(stateOf(2), origin, ledger, notify);
    await checkpoints.beforeFinishing(2);
    await expect(checkpoints.beforeFinishing(3)).rejects.toEqual(failed(2));
    expect(warnings).toMatchObject([{ remedy: expect.stringContaining('more than 2 steps without one') }]);
  });
});

describe('a ledger that does not lead to the newest checkpoint', () => {
  let file: string;

  /** Three steps with a checkpoint after each; then the process is gone. */
  async function trainThreeSteps(): Promise<void> {
    file = directory.ledgerFileOf(1);
    const checkpoints = open();
    const written = await Ledger.open(file, [], checkpoints.ledgerHeader, null);
    for (const step of [1, 2, 3]) {
      const globalStep = step - 1;
      const where = { term: 1, iteration: 0, epoch: 0, step: globalStep, globalStep };
      await written.record({
        ...where,
        batch: 'b'.repeat(64),
        leaves: [4],
        gradientSha256: String(step).repeat(64),
      });
      await checkpoints.saveAndWait(stateOf(step), origin, written, notify);
    }
    await written.close();
  }

  test('torn in its last line: an older checkpoint is used, and what is computed again is said', async () => {
    await trainThreeSteps();
    const lines = readFileSync(file, 'utf8');
    writeFileSync(file, lines.slice(0, -20));
    const warnings: unknown[] = [];
    const warn = (message: string, fields = {}) => warnings.push({ message, ...fields });
    const restored = (await open({ log: { ...log, warn } }).restore([file]))!;
    expect(restored.name).toBe('term-000001-step-0000000002');
    expect(restored.state.position.globalStep).toBe(2);
    expect(restored.ledgerBeginning!.lines).toEqual(lines.split('\n').slice(0, 3));
    expect(warnings).toEqual([
      {
        message: 'checkpoint cannot be used',
        name: 'term-000001-step-0000000003',
        reason: expect.stringMatching(/ends in the middle of line 4$/),
      },
      {
        message: 'using an older checkpoint; the steps after it are computed again',
        name: 'term-000001-step-0000000002',
        steps: 1,
      },
    ]);
  });

  test('with nothing that fits any checkpoint, the run is not begun anew', async () => {
    await trainThreeSteps();
    writeFileSync(file, 'torn');
    await expect(open().restore([file])).rejects.toEqual(
      failure('CHECKPOINT_NONE_USABLE', /step-0000000001: the ledger \S+ ends in the middle of line 1/),
    );
    await expect(open().restore([])).rejects.toEqual(
      failure('CHECKPOINT_NONE_USABLE', 'there is no ledger, but the checkpoint was written after step 3'),
    );
    // Who only reads needs none.
    expect((await open().restore(null))!.state.position.globalStep).toBe(3);
  });

  test('of a run that has finished does not matter', async () => {
    await trainThreeSteps();
    const state = stateOf(4);
    state.position = { ...state.position, iteration: run().spec.schedule.iterations };
    await open().saveAndWait(state, origin, ledger, notify);
    await rm(file);
    await expect(open().restore([])).rejects.toEqual(failure('CHECKPOINT_NONE_USABLE', 'there is no ledger'));
    directory.writeResult({ term: 1 });
    expect((await open().restore([]))!.state.position.globalStep).toBe(4);
  });
});

test('a checkpoint keeps the version of the fcaenet that began the run', async () => {
  await open().saveAndWait(stateOf(1), { identity: null, version: '0.0.9' }, ledger, notify);
  expect((await open().restore(null))!.origin).toEqual({ identity: null, version: '0.0.9' });
});
