import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { methods } from '../../src/methods/methods.js';
import { applyOverrides } from '../../src/run/overrides.js';
import { parseTrainingRun } from '../../src/run/read.js';
import { failure } from '../kit/failure.js';
import { run } from './support.js';

test.each([
  ['spec.bits=12', { spec: { bits: 12 } }],
  ['metadata.name=x', { metadata: { name: 'x' } }],
  ['metadata.name=123', { metadata: { name: '123' } }],
  ['spec.dataset.path=/a b/c=d', { spec: { dataset: { path: '/a b/c=d' } } }],
  ['spec.dataset.path=C: x', { spec: { dataset: { path: 'C: x' } } }],
  ['spec.dataset.path=d/small #2', { spec: { dataset: { path: 'd/small #2' } } }],
  ['spec.dataset.path=!x/data', { spec: { dataset: { path: '!x/data' } } }],
  ['spec.dataset.path="quoted"', { spec: { dataset: { path: '"quoted"' } } }],
  ['spec.dataset.path= two ends ', { spec: { dataset: { path: ' two ends ' } } }],
  ['spec.dataset.path=[1, 2]', { spec: { dataset: { path: '[1, 2]' } } }],
  ['spec.dataset.path=null', { spec: { dataset: { path: 'null' } } }],
  ['spec.dataset.path=1.0', { spec: { dataset: { path: '1.0' } } }],
  ['spec.model.weights=a: b', { spec: { model: { weights: 'a: b' } } }],
  ['spec.model.weights=~', { spec: { model: { weights: '~' } } }],
  ['spec.model.weights=null', { spec: { model: { weights: null } } }],
  ['spec.schedule.decayAfter=[6, 8]', { spec: { schedule: { decayAfter: [6, 8] } } }],
  ['spec.schedule.decayAfter=[]', { spec: { schedule: { decayAfter: [] } } }],
  ['spec.schedule.learningRate=1e-3', { spec: { schedule: { learningRate: 0.001 } } }],
  ['spec.operation.tls=null', { spec: { operation: { tls: null } } }],
  ['spec.operation.workers=auto', { spec: { operation: { workers: 'auto' } } }],
])('--set %s', (override, expected) => {
  expect(applyOverrides({}, [override])).toEqual(expected);
});

test('a path is the text behind the first =, letter by letter, also once run.yaml was written and read', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (path) => {
      const decided = run(`spec.dataset.path=${path}`);
      expect(decided.spec.dataset.path).toBe(path);
      expect(parseTrainingRun(stringify(decided), 'run.yaml')).toEqual(decided);
    }),
    { examples: [['a #b'], ['!tag'], ['*alias'], ['&anchor x'], ["'"], [' '], ['\n'], ['---'], ['# all']] },
  );
});

test.each([
  ['spec.bits= ', '" ", but must be a whole number from 1 to 64'],
  ['spec.bits=', '"", but must be a whole number from 1 to 64'],
  ['spec.seed=9007199254740993', '"9007199254740993", but must be a whole number from 0 to 9007199254740991'],
  ['spec.bits=12 #24', '"12 #24", but must be a whole number from 1 to 64'],
  ['spec.bits="12"', '"\\"12\\"", but must be a whole number from 1 to 64'],
  ['spec.bits=!!int 12', '"!!int 12", but must be a whole number from 1 to 64'],
  ['spec.method=fcaenet #srem', `"fcaenet #srem", but must be one of ${methods.join(', ')}`],
  ['spec.operation.workers=auto #2', '"auto #2", but must be a whole number from 1 to 1024 or auto'],
  ['spec.operation.evaluation.maxQueries=', '"", but must be a whole number from 1 to 1000000000'],
])('--set %s hides nothing from the sentence that refuses it', (override, end) => {
  const path = override.slice(0, override.indexOf('='));
  expect(() => run(override)).toThrow(failure('RUN_FIELD_INVALID', `run.yaml: ${path} is ${end}`));
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
  ['spec.schedule=1', '--set "spec.schedule=1" names a group of settings, but must name one setting of it'],
  ['spec.toString=1', 'spec.toString is not a field of a training run'],
  ['spec.constructor=1', 'spec.constructor is not a field of a training run'],
  ['spec.__proto__=1', 'spec.__proto__ is not a field of a training run'],
  ['spec.dataset.hasOwnProperty=1', 'spec.dataset.hasOwnProperty is not a field of a training run'],
  ['constructor=1', 'constructor is not a field of a training run'],
  ['spec.\u001b[2J=1', 'spec."\\u001b[2J" is not a field of a training run'],
  ['__proto__.polluted=1', '__proto__.polluted is not a field of a training run'],
])('--set %s is refused', (override, message) => {
  expect(() => run(override)).toThrow(message);
});

test.each(['spec.bits', '=1'])('--set %s is no override', (override) => {
  expect(() => run(override)).toThrow(
    failure('RUN_OVERRIDE_SYNTAX', `--set "${override}" must be PATH=VALUE, as in spec.bits=24`),
  );
});
