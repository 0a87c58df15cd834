import { expect, test } from 'vitest';
import { applyOverrides } from '../../src/run/overrides.js';
import { failure } from '../kit/failure.js';
import { run } from './support.js';

test.each([
  ['spec.bits=12', { spec: { bits: 12 } }],
  ['metadata.name=x', { metadata: { name: 'x' } }],
  ['metadata.name=123', { metadata: { name: '123' } }],
  ['spec.dataset.path=/a b/c=d', { spec: { dataset: { path: '/a b/c=d' } } }],
  ['spec.dataset.path=C: x', { spec: { dataset: { path: 'C: x' } } }],
  ['spec.model.weights=null', { spec: { model: { weights: null } } }],
  ['spec.schedule.decayAfter=[6, 8]', { spec: { schedule: { decayAfter: [6, 8] } } }],
  ['spec.schedule.learningRate=1e-3', { spec: { schedule: { learningRate: 0.001 } } }],
  ['spec.operation.workers=auto', { spec: { operation: { workers: 'auto' } } }],
])('--set %s', (override, expected) => {
  expect(applyOverrides({}, [override])).toEqual(expected);
});

test('the given document stays as it was', () => {
  const document = { spec: { bits: 1 } };
  applyOverrides(document, ['spec.bits=2']);
  expect(document).toEqual({ spec: { bits: 1 } });
});

test.each([
  ['spec.bitz=12', 'spec.bitz is not a field of a training run; did you mean spec.bits?'],
  [
    'spec.shedule.epochs=1',
    'spec.shedule.epochs is not a field of a training run; did you mean spec.schedule?',
  ],
  ['spec.bits.deep=1', 'spec.bits.deep is not a field of a training run'],
  ['bits=12', 'bits is not a field of a training run; did you mean spec.bits?'],
  ['spec.schedule=1', '--set spec.schedule=1 names a group of settings, but must name one setting of it'],
  ['__proto__.polluted=1', '__proto__.polluted is not a field of a training run'],
])('--set %s is refused', (override, message) => {
  expect(() => run(override)).toThrow(message);
});

test.each(['spec.bits', '=1'])('--set %s is no override', (override) => {
  expect(() => run(override)).toThrow(
    failure('RUN_OVERRIDE_SYNTAX', `--set ${override} must be PATH=VALUE, as in spec.bits=24`),
  );
});
