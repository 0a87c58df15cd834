import { expect, test } from 'vitest';
import { CheckpointPace } from '../../src/coordinator/checkpoints/checkpoint-pace.js';

test('every so many steps, whatever the time', () => {
  const pace = new CheckpointPace(3, 0);
  expect([1, 2, 3, 4, 6].map((step) => pace.isDue(step, 0))).toEqual([false, false, true, false, true]);
});

test('never', () => {
  expect(new CheckpointPace(null, 0).isDue(1, 1e9)).toBe(false);
});

test('auto writes every ten seconds where that is cheap', () => {
  const pace = new CheckpointPace('auto', 100);
  expect([109.9, 110].map((now) => pace.isDue(1, now))).toEqual([false, true]);
  pace.begun(110);
  pace.written(0.1);
  expect([119.9, 120].map((now) => pace.isDue(1, now))).toEqual([false, true]);
});

test('auto takes at most a fiftieth of the time', () => {
  const pace = new CheckpointPace('auto', 0);
  pace.begun(10);
  pace.written(2);
  expect([109.9, 110].map((now) => pace.isDue(1, now))).toEqual([false, true]);
});

test('auto does not begin another while one is being written', () => {
  const pace = new CheckpointPace('auto', 0);
  pace.begun(10);
  expect(pace.isDue(1, 1_000)).toBe(false);
});

test('no step is done while more steps than asked for would be lost with it', () => {
  const pace = new CheckpointPace(3, 0);
  expect([1, 3, 4].map((step) => pace.mayFinish(step))).toEqual([true, true, false]);
  pace.durable(3);
  expect([4, 6, 7].map((step) => pace.mayFinish(step))).toEqual([true, true, false]);
  // As after resuming from a checkpoint that a shorter interval left, and one that is older.
  pace.durable(5);
  pace.durable(3);
  expect([8, 9].map((step) => pace.mayFinish(step))).toEqual([true, false]);
});

test('auto and never do not wait', () => {
  expect((['auto', null] as const).map((every) => new CheckpointPace(every, 0).mayFinish(1e9))).toEqual([
    true,
    true,
  ]);
});

test.each(['auto', null, 5_000] as const)(
  'every %s: a run waits a thousand steps after its checkpoint was not written in time',
  (every) => {
    const pace = new CheckpointPace(every, 0);
    const finished = (from: number, to: number) => {
      let count = 0;
      for (let step = from; step <= to; step++) count += Number(pace.mayFinish(step));
      return count;
    };
    pace.begun(0);
    expect(finished(1, 2_000)).toBe(2_000);
    pace.stalled();
    expect(finished(2_001, 2_600)).toBe(600);
    pace.stalled();
    expect(finished(2_601, 4_000)).toBe(400);
    pace.durable(2_000);
    pace.written(400);
    expect(finished(4_001, 6_000)).toBe(2_000);
  },
);

test('after a checkpoint that was not written in time, auto writes the next as soon as ever', () => {
  const pace = new CheckpointPace('auto', 0);
  pace.begun(10);
  pace.stalled();
  pace.written(400);
  expect(pace.isDue(1, 410)).toBe(true);
});
