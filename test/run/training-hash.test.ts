import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { trainingDifferences, trainingHash, trainingSettings } from '../../src/run/training-hash.js';
import { run } from './support.js';

test.each([
  'metadata.name=other',
  'spec.dataset.path=other',
  'spec.operation.workers=3',
  'spec.operation.devices=[0]',
  'spec.operation.membership.deviceModels=[A100]',
  'spec.operation.checkpoint.keep=9',
])('%s does not change what is trained', (override) => {
  expect(trainingHash(run(override))).toBe(trainingHash(run()));
  expect(trainingDifferences(run(), run(override))).toEqual([]);
});

test('where the weights lie does not count, whether there are any does', () => {
  const here = run('spec.model.weights=here');
  expect(trainingHash(here)).toBe(trainingHash(run('spec.model.weights=there')));
  expect(trainingHash(here)).not.toBe(trainingHash(run()));
});

test.each([
  ['spec.bits=12', 'spec.bits (24, now 12)'],
  ['spec.method=baseline', 'spec.method ("fcaenet", now "baseline")'],
  ['spec.seed=1', 'spec.seed (0, now 1)'],
  ['spec.dataset.sampleSize=399', 'spec.dataset.sampleSize (1000, now 399)'],
  ['spec.augmentation.crop=random-resized', 'spec.augmentation.crop ("none", now "random-resized")'],
  ['spec.augmentation.flip=true', 'spec.augmentation.flip (false, now true)'],
  ['spec.loss.gamma=0', 'spec.loss.gamma (200, now 0)'],
  ['spec.erasing.size=8', 'spec.erasing.size (9, now 8)'],
  ['spec.schedule.microbatches=8', 'spec.schedule.microbatches (4, now 8)'],
  ['spec.schedule.decayAfter=[3]', 'spec.schedule.decayAfter ([5], now [3])'],
  ['spec.optimizer.momentum=0', 'spec.optimizer.momentum (0.9, now 0)'],
  ['spec.firstCodes=zero', 'spec.firstCodes ("published", now "zero")'],
  ['spec.firstCodes=class-means', 'spec.firstCodes ("published", now "class-means")'],
  [
    'spec.batchNormalisation.positives=apart',
    'spec.batchNormalisation.positives ("with-anchors", now "apart")',
  ],
  [
    'spec.batchNormalisation.runningStatistics=anchors',
    'spec.batchNormalisation.runningStatistics ("every-pass", now "anchors")',
  ],
  ['spec.batchNormalisation.momentum=0.5', 'spec.batchNormalisation.momentum (0.1, now 0.5)'],
  ['spec.wire.precision=bfloat16', 'spec.wire.precision ("float32", now "bfloat16")'],
  ['spec.engine.threadsPerMicrobatch=2', 'spec.engine.threadsPerMicrobatch (1, now 2)'],
])('%s makes another run, and is named', (override, difference) => {
  expect(trainingHash(run(override))).not.toBe(trainingHash(run()));
  expect(trainingDifferences(run(), run(override))).toEqual([difference]);
});

test('the hash leaves out what came later, where it is as it was before', () => {
  const later = [
    'spec.wire.precision',
    'spec.firstCodes',
    'spec.batchNormalisation.positives',
    'spec.batchNormalisation.runningStatistics',
    'spec.batchNormalisation.momentum',
    'spec.optimizer.maxGradientNorm',
  ];
  const settings = Object.entries(trainingSettings(run()));
  const before = settings.filter(([path]) => !later.includes(path));
  expect(settings).toHaveLength(before.length + later.length);
  const sorted = before.sort(([left], [right]) => (left < right ? -1 : 1));
  expect(trainingHash(run())).toBe(createHash('sha256').update(JSON.stringify(sorted)).digest('hex'));
});

// Made by fcaenet before any of these settings.
test('runs from before have the hash that they had', () => {
  expect(trainingHash(run())).toBe('7a360a3913f05800ac73c00ad06cd4ab9346ed8fd0bb42a8523cfb9bc6d64365');
});

test('the settings of a method count for its own runs only', () => {
  const itq = run('spec.method=itq');
  const longer = run('spec.method=itq', 'spec.itq.iterations=60', 'spec.sdh.nu=1');
  expect(trainingDifferences(itq, longer)).toEqual(['spec.itq.iterations (50, now 60)']);
  expect(trainingHash(run('spec.itq.iterations=60', 'spec.sdh.nu=1'))).toBe(trainingHash(run()));
});

test('adsh is one run with V = 0 as published and as the run file says', () => {
  const zero = run('spec.method=adsh', 'spec.firstCodes=zero');
  expect(trainingHash(zero)).toBe(trainingHash(run('spec.method=adsh')));
  expect(trainingDifferences(run('spec.method=adsh'), zero)).toEqual([]);
});

test('a preset and the same values written out are one run', () => {
  expect(trainingHash(run('spec.bits=24', 'spec.schedule.epochs=4'))).toBe(trainingHash(run()));
});
