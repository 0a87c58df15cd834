import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RunCheckpoints } from '../../src/coordinator/checkpoints/run-checkpoints.js';
import { RunState } from '../../src/coordinator/training/run-state.js';
import type { Dataset } from '../../src/data/dataset.js';
import type { Ledger } from '../../src/ledger/ledger.js';
import { describeModel } from '../../src/model/layout.js';
import { readTrainingRun } from '../../src/run/read.js';
import { RunDirectory } from '../../src/run/run-directory.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const fence = { check: () => {}, accepts: () => true };
const observer = { written: () => {}, failed: () => {} };
const ledger = { sync: async () => 'f'.repeat(64) } as unknown as Ledger;
const dataset = { fingerprint: 'd', root: 'data' } as Dataset;

let root: string;
let directory: RunDirectory;
const run = () => readTrainingRun('examples/quick.yaml', [`spec.operation.runsDirectory=${root}`]);
const layoutOf = ({ spec }: ReturnType<typeof run>) => describeModel({ ...spec.model, bits: spec.bits });
const open = () =>
  new RunCheckpoints({
    run: run(),
    directory,
    dataset,
    layout: layoutOf(run()),
    term: 1,
    fence,
    log,
    clock: systemClock,
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
    checkpoints.saveAndWait(state, null, ledger, observer).then((name) => ({ name, value })),
  );
  for (const [index, each] of saved.entries()) {
    await each;
    change(state, index + 2);
  }
  await checkpoints.settled();
  const restored = (await open().restore())!;
  const value = restored.state.position.globalStep;
  expect(restored.name).toMatch(new RegExp(`step-0*${value}$`));
  expect(isAll(restored.state.weights.parameters, value)).toBe(true);
  expect(isAll(restored.state.weights.mean, value)).toBe(true);
  expect(isAll(restored.state.optimizer.buffer, value)).toBe(true);
});

test('what is restored can be trained on and saved again', async () => {
  await open().saveAndWait(stateOf(1), null, ledger, observer);
  const { state } = (await open().restore())!;
  change(state, 5);
  await open().saveAndWait(state, null, ledger, observer);
  const { state: again } = (await open().restore())!;
  expect(again.position.globalStep).toBe(5);
  expect(isAll(again.weights.parameters, 5)).toBe(true);
  expect(isAll(again.weights.variance, 1)).toBe(true);
  expect(again.codes).toEqual(state.codes);
});
