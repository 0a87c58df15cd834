import { describe, expect, test } from 'vitest';
import { DiskError } from '../../src/disk/error.js';
import { carryOut } from '../../src/experiments/carry-out.js';
import { interruptedAfterRun, isOfDisk } from '../../src/experiments/carry-out-on.js';
import type { Cell } from '../../src/experiments/cell.js';
import type { CellState } from '../../src/experiments/cell-state.js';
import { ExperimentError } from '../../src/experiments/error.js';
import { RemainingWork } from '../../src/experiments/remaining-work.js';
import { plan, resultOf } from './support.js';

const { cells } = plan({ bits: [12], seedCount: 1 });
const interruption = new ExperimentError('EXPERIMENT_X', 'stopped');

/** A machine on which runs end as told. */
function world(begin: Readonly<Record<string, CellState>> = {}, fail: Readonly<Record<string, Error>> = {}) {
  const stop = new AbortController();
  const states = new Map<string, CellState>(Object.entries(begin));
  const ran: string[] = [];
  const seen: string[] = [];
  return {
    ran,
    seen,
    stop,
    surroundings: {
      look: ({ name }: Cell) => states.get(name) ?? { kind: 'absent' as const },
      endsAll: (error: unknown) => error === interruption,
      signal: stop.signal,
      onStates: (all: ReadonlyMap<Cell, CellState>) => {
        seen.push([...all.values()].map(({ kind }) => kind[0]).join(''));
      },
      run: async (cell: Cell) => {
        ran.push(cell.name);
        if (fail[cell.name]) throw fail[cell.name]!;
        states.set(cell.name, { kind: 'finished', result: resultOf(cell, 0.5) });
      },
    },
  };
}

const kinds = (states: ReadonlyMap<Cell, CellState>) => [...states.values()].map(({ kind }) => kind);

test('runs what is missing or begun, in order, and tells the states after each', async () => {
  const done = { kind: 'finished', result: resultOf(cells[1]!, 0.4) } as const;
  const { surroundings, ran, seen } = world({
    'baseline-12bit-seed5': done,
    'lsh-12bit-seed5': { kind: 'begun' },
  });
  const states = await carryOut(cells, surroundings);
  expect(ran).toEqual(['fcaenet-12bit-seed5', 'lsh-12bit-seed5', 'baseline-12bit-seed5-images']);
  expect(kinds(states)).toEqual(['finished', 'finished', 'finished', 'finished']);
  expect(seen).toEqual(['afba', 'ffba', 'fffa', 'ffff']);
  expect(states.get(cells[1]!)).toBe(done);
});

test('a run that fails is told with its sentence, and the others are carried out', async () => {
  const { surroundings, ran } = world(
    {},
    { 'baseline-12bit-seed5': new ExperimentError('EXPERIMENT_X', 'it cannot be') },
  );
  const states = await carryOut(cells, surroundings);
  expect(ran).toHaveLength(4);
  expect(states.get(cells[1]!)).toEqual({ kind: 'failed', sentence: 'it cannot be' });
  expect(kinds(states)).toEqual(['finished', 'failed', 'finished', 'finished']);
});

test('a directory that cannot be used is not run', async () => {
  const { surroundings, ran } = world({
    'fcaenet-12bit-seed5': { kind: 'failed', sentence: 'other settings' },
  });
  await carryOut(cells, surroundings);
  expect(ran).not.toContain('fcaenet-12bit-seed5');
});

describe('a stop that is asked for while a run ends', () => {
  const failed = new ExperimentError('EXPERIMENT_X', 'it cannot be');

  test.each([
    ['finishes', interruption, {}, 'ffaa'],
    ['fails', failed, { 'baseline-12bit-seed5': failed }, 'faaa'],
  ])('ends everything when that run %s', async (_, error, fail, last) => {
    const { surroundings, stop, ran, seen } = world({}, fail);
    const run = (cell: Cell) => {
      if (cell === cells[1]) stop.abort(interruption);
      return surroundings.run(cell);
    };
    await expect(carryOut(cells, { ...surroundings, run })).rejects.toBe(error);
    expect(ran).toEqual(['fcaenet-12bit-seed5', 'baseline-12bit-seed5']);
    expect(seen.at(-1)).toBe(last);
  });
});

test('an experiment that was interrupted between two runs says how it goes on', () => {
  expect(interruptedAfterRun('table', 'npx fcaenet table a.yaml')).toMatchObject({
    code: 'EXPERIMENT_INTERRUPTED',
    message: 'the table was interrupted when a run had just finished; `npx fcaenet table a.yaml` goes on',
    exitCode: 75,
  });
});

test('a disk that takes no more files is recognised by what caused the error', () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  expect(isOfDisk(new ExperimentError('EXPERIMENT_X', 'not written', undefined, { cause: full }))).toBe(true);
  expect(isOfDisk(new DiskError('write', 'a', 3))).toBe(true);
  const other = Object.assign(new Error('not there'), { code: 'ENOENT' });
  expect(isOfDisk(new ExperimentError('EXPERIMENT_X', 'not read', undefined, { cause: other }))).toBe(false);
  expect(isOfDisk('ENOSPC')).toBe(false);
});

test('an interruption ends everything, and so does what is no sentence', async () => {
  for (const error of [interruption, new TypeError('a fault')]) {
    const { surroundings, ran } = world({}, { 'baseline-12bit-seed5': error });
    await expect(carryOut(cells, surroundings)).rejects.toBe(error);
    expect(ran).toEqual(['fcaenet-12bit-seed5', 'baseline-12bit-seed5']);
  }
});

test('a run that ends without a result has failed', async () => {
  const { surroundings } = world();
  const states = await carryOut(cells, { ...surroundings, run: async () => {} });
  expect(states.get(cells[0]!)).toEqual({
    kind: 'failed',
    sentence: 'the run fcaenet-12bit-seed5 ended, but has no result',
  });
});

describe('the time that is left', () => {
  const work = new Map([
    ['a', 300],
    ['b', 100],
    ['c', 100],
  ]);

  test('comes from the speed of the runs so far', () => {
    const left = new RemainingWork(work);
    expect(left.secondsLeft(0)).toBeNull();
    left.begin('a', 0);
    left.progress(0);
    expect(left.secondsLeft(0)).toBeNull();
    left.progress(0.5);
    expect(left.secondsLeft(15_000)).toBeCloseTo(35, 9); // 150 of 500 in 15 s
    left.end(true, 30_000);
    expect(left.secondsLeft(30_000)).toBeCloseTo(20, 9);
  });

  test('does not count what a resumed run did before', () => {
    const left = new RemainingWork(work);
    left.begin('a', 0);
    left.progress(0.5);
    left.progress(0.75);
    expect(left.secondsLeft(7_500)).toBeCloseTo(27.5, 9); // 75 in 7.5 s; 75 and 200 are left
  });

  test('leaves out a run that failed, and its time', () => {
    const left = new RemainingWork(work);
    left.begin('a', 0);
    left.progress(0);
    left.end(true, 30_000);
    left.begin('b', 30_000);
    left.end(false, 90_000);
    expect(left.secondsLeft(90_000)).toBeCloseTo(10, 9);
  });
});
