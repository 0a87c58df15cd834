import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { OutgoingWeights } from '../../src/coordinator/dispatch/outgoing-weights.js';
import { StepPhases } from '../../src/coordinator/dispatch/step-phases.js';
import { describeStep } from '../../src/coordinator/training/describe-step.js';
import { KeyedRandom } from '../../src/data/random.js';
import { TripletSampler } from '../../src/data/sampler.js';
import { describeRunModel } from '../../src/model/layout.js';
import { exchangedParts } from '../../src/schedule/exchanged-parts.js';
import { startPosition } from '../../src/schedule/schedule.js';
import { arrayFrom } from '../../src/transport/bytes.js';
import { run } from '../run/support.js';

const settings = [
  'spec.dataset.sampleSize=12',
  'spec.schedule.batchSize=8',
  'spec.schedule.microbatches=4',
  'spec.schedule.epochs=1',
  'spec.schedule.iterations=2',
];

/** The step at a position of a run with 20 images of two classes: batches of 8 and 4 rows. */
function describe(position: object, ...more: string[]) {
  return describeWith({ exchanges: false, code: 1 }, position, ...more);
}

/** @param code every number of V */
function describeWith(
  { exchanges, code }: { exchanges: boolean; code: number },
  position: object,
  ...more: string[]
) {
  const { spec } = run(...settings, ...more);
  const labels = Int32Array.from({ length: 20 }, (_, i) => i % 2);
  const sampler = new TripletSampler({
    random: new KeyedRandom(spec.seed),
    labels,
    classCount: 2,
    sampleSize: 12,
    batchSize: 8,
  });
  const step = describeStep({
    spec,
    term: 1,
    position: { ...startPosition, ...position },
    sampler,
    codes: new Int8Array(20 * spec.bits).fill(code),
    exchanges,
    layout: describeRunModel(spec),
    weights: new OutgoingWeights(1, 0, { parameters: none, mean: none, variance: none }, 'float32'),
    context: { iteration: 0, messages: [] },
    phases: new StepPhases(systemClock),
  });
  return { step, sampler, spec };
}

const none = new Float32Array(0);
const numbers = (bytes: Uint8Array) => [...new Int32Array(bytes.slice().buffer)];

test('names the next step’s rows of the same microbatches: their anchors, then their positives', () => {
  const { step, sampler } = describe({});
  const next = sampler.batch(0, 0, 1);
  // Of four rows the microbatches 1 and 2 have one each.
  const { position, images } = step.upcoming([1, 2])!;
  expect(position).toEqual({ iteration: 0, epoch: 0, step: 1 });
  expect(numbers(images)).toEqual([...next.anchors.slice(1, 3), ...next.positives.slice(1, 3)]);
});

test('names the first step of the next iteration, without positives where there are none', () => {
  const { step, sampler } = describe({ step: 1, globalStep: 1 }, 'spec.method=baseline');
  const { position, images } = step.upcoming([0])!;
  expect(position).toEqual({ iteration: 1, epoch: 0, step: 0 });
  expect(numbers(images)).toEqual([...sampler.batch(1, 0, 0).anchors.slice(0, 2)]);
});

test('names nothing after the last step', () => {
  expect(describe({ iteration: 1, step: 1, globalStep: 3 }).step.upcoming([0])).toBeNull();
});

test('names the parts that each row exchanges, once there are features of the classes', () => {
  const settings = ['spec.method=exchnet', 'spec.dataset.sampleSize=12'];
  const { step, sampler, spec } = describeWith({ exchanges: true, code: 1 }, { epoch: 0 }, ...settings);
  const { anchors } = sampler.batch(0, 0, 0);
  const all = exchangedParts(spec, { iteration: 0, epoch: 0 }, anchors);
  const { start, end } = step.tree.rowsOf(1);
  const sent = step.leaf(1).exchangedParts as Buffer;
  expect(arrayFrom(Uint32Array, sent, 'the exchange')).toEqual(all.slice(start, end));
  expect(describe({}, ...settings).step.leaf(1).exchangedParts).toBeUndefined();
});

test('sends each row’s own code, and none while V is 0', () => {
  const ofCodes = (code: number) =>
    describeWith({ exchanges: false, code }, {}, 'spec.firstCodes=zero').step.leaf(1).ownCodes;
  const sent = arrayFrom(Uint32Array, ofCodes(1) as Buffer, 'the codes');
  expect([...sent]).toEqual([0xffffff, 0xffffff]);
  expect(ofCodes(0)).toBeUndefined();
});
