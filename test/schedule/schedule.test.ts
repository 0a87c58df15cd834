import { expect, test } from 'vitest';
import { SgdOptimizer } from '../../src/coordinator/training/optimizer.js';
import { readTrainingRun } from '../../src/run/read.js';
import { assignLeaves } from '../../src/schedule/assignment.js';
import {
  advance,
  codesAreOfWeights,
  evaluationIsDue,
  learningRateAt,
  startPosition,
} from '../../src/schedule/schedule.js';

const { spec } = readTrainingRun('examples/cub.yaml');

test('the learning rate falls after iteration 6 of 8', () => {
  const rates = Array.from({ length: 8 }, (_, iteration) => learningRateAt(spec.schedule, iteration));
  expect(rates).toEqual([0.006, 0.006, 0.006, 0.006, 0.006, 0.006, 0.006 * 0.1, 0.006 * 0.1]);
});

test('steps fill epochs', () => {
  let position = startPosition;
  const seen = Array.from({ length: 5 }, () => {
    position = advance(position, 2);
    return [position.epoch, position.step, position.globalStep];
  });
  expect(seen).toEqual([
    [0, 1, 1],
    [1, 0, 2],
    [1, 1, 3],
    [2, 0, 4],
    [2, 1, 5],
  ]);
});

test('the last iteration is always evaluated', () => {
  const evaluation = { ...spec.operation.evaluation, every: 3 };
  const due = { ...spec, operation: { ...spec.operation, evaluation } };
  const iterations = Array.from({ length: 8 }, (_, iteration) => iteration);
  expect(iterations.filter((iteration) => evaluationIsDue(due, iteration))).toEqual([2, 5, 7]);
});

test.each([
  ['before the first step', { ...startPosition }, false],
  ['inside an iteration', { iteration: 3, step: 1 }, false],
  ['behind the epochs of an evaluated iteration', { iteration: 2, epoch: 3, phase: 'evaluate' }, true],
  ['behind the epochs of another', { iteration: 3, epoch: 3, phase: 'evaluate' }, false],
  ['behind an evaluated iteration', { iteration: 3 }, true],
  ['a step later', { iteration: 3, epoch: 1 }, false],
  ['behind another', { iteration: 4 }, false],
  ['behind the last', { iteration: 8 }, true],
] as const)('database codes of the network, %s', (_where, position, areOfWeights) => {
  const evaluation = { ...spec.operation.evaluation, every: 3 };
  const due = { ...spec, operation: { ...spec.operation, evaluation } };
  expect(codesAreOfWeights(due, { ...startPosition, ...position })).toBe(areOfWeights);
});

test.each([
  [
    [0, 1, 2, 3, 4, 5, 6, 7],
    3,
    [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ],
  ],
  [[2, 5], 3, [[2], [5]]],
  [[1], 1, [[1]]],
])('leaves %j go to %i workers as %j', (leaves, count, shares) => {
  const workers = Array.from({ length: count }, (_, worker) => worker);
  expect(assignLeaves(leaves, workers)).toEqual(shares.map((share, worker) => ({ worker, leaves: share })));
});

test('leaves go to workers by the numbers of their parts', () => {
  const leaves = [0, 1, 2, 3, 4, 5, 6, 7];
  const parts = (count: number) => count;
  const shares = (workers: number[]) => assignLeaves(leaves, workers, parts).map(({ leaves }) => leaves);
  expect(shares([2, 2])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
  expect(shares([2, 1])).toEqual([
    [0, 1, 2, 3, 4, 5],
    [6, 7],
  ]);
  expect(shares([8, 3])).toEqual([leaves]);
});

test('SGD rounds after every operation, also where a fused or double computation would differ', () => {
  const { fround } = Math;
  const size = 10_000;
  const noise = (i: number, key: number) =>
    fround((((i * 2654435761 + key * 40503) >>> 0) / 2 ** 32 - 0.5) * 3);
  const parameters = Float32Array.from({ length: size }, (_, i) => noise(i, 1));
  const expected = parameters.slice();
  const buffer = new Float32Array(size);
  const optimizer = new SgdOptimizer({ momentum: 0.9, weightDecay: 1e-5 }, new Float32Array(size), false);
  let differsFromDouble = 0;
  for (let step = 0; step < 3; step++) {
    const gradient = Float32Array.from({ length: size }, (_, i) => noise(i, step + 2));
    optimizer.step(parameters, gradient, 0.006);
    for (let i = 0; i < size; i++) {
      const decay = fround(fround(1e-5) * expected[i]!);
      const d = fround(gradient[i]! + decay);
      const b = step === 0 ? d : fround(fround(fround(0.9) * buffer[i]!) + d);
      const inDouble = fround(expected[i]! - 0.006 * (0.9 * buffer[i]! + gradient[i]! + 1e-5 * expected[i]!));
      buffer[i] = b;
      expected[i] = fround(expected[i]! - fround(fround(0.006) * b));
      if (inDouble !== expected[i]) differsFromDouble++;
    }
  }
  expect(parameters).toEqual(expected);
  expect(optimizer.buffer).toEqual(buffer);
  expect(differsFromDouble).toBeGreaterThan(0);
});
