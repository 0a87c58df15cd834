import { expect, test } from 'vitest';
import { RunState } from '../../src/coordinator/training/run-state.js';
import { run } from '../run/support.js';

const databaseSize = 40;

/** V before the first step. */
function firstV(...settings: string[]): Int8Array {
  const { spec } = run('spec.bits=12', ...settings);
  const none = new Float32Array(0);
  const weights = { parameters: none, mean: none, variance: none };
  return RunState.initial(spec, weights, databaseSize).codes;
}

const zeros = new Int8Array(databaseSize * 12);

test.each(['baseline', 'srem', 'esrl', 'fcaenet', 'adsh'])(
  '%s begins with V = 0 where the run file says so',
  (method) => {
    expect(firstV(`spec.method=${method}`, 'spec.firstCodes=zero')).toEqual(zeros);
  },
);

test('else it begins as published: adsh with 0, the others with random signs of the seed', () => {
  expect(firstV('spec.method=adsh')).toEqual(zeros);
  const ofSeed = firstV('spec.method=baseline');
  expect([...new Set(ofSeed)].sort()).toEqual([-1, 1]);
  for (const method of ['srem', 'esrl', 'fcaenet', 'exchnet'])
    expect(firstV(`spec.method=${method}`)).toEqual(ofSeed);
  expect(firstV('spec.method=baseline', 'spec.seed=1')).not.toEqual(ofSeed);
});

test('exchnet, which has no quantisation term, begins with random signs whatever the run file says', () => {
  expect(firstV('spec.method=exchnet', 'spec.firstCodes=zero')).toEqual(firstV('spec.method=exchnet'));
});

test('codes of the class means are not made yet', () => {
  expect(firstV('spec.firstCodes=class-means')).toEqual(zeros);
});
