import { expect, test } from 'vitest';
import { officialCounts } from '../../src/data/layouts/layouts.js';
import { featureMethod, methods } from '../../src/methods/methods.js';
import { usualBatchNormalisation, usualStatisticsMomentum } from '../../src/methods/passes.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { readTrainingRun } from '../../src/run/read.js';
import type { TrainingRun } from '../../src/run/training-run.js';
import { run } from './support.js';

const operation = {
  workers: 'auto',
  devices: 'auto',
  exactness: 'strict',
  exchange: 'auto',
  runsDirectory: 'runs',
  listen: '127.0.0.1:0',
  tls: null,
  metrics: 'auto',
  monitor: { control: false, hosts: [] },
  tensorboard: null,
  evaluation: { every: 1, maxQueries: null, precisionAt: [1, 5, 10, 100], untrained: false },
  checkpoint: { everyIterations: 1, everySteps: 'auto', keep: 3 },
  cache: { directory: '.cache/images', limitBytes: 34_359_738_368 },
  membership: { minWorkers: 1, maxWorkers: 64, silenceSeconds: 60, deviceModels: null },
  verification: { rate: 0.001 },
  lease: { seconds: 30 },
  nats: {
    url: null,
    credentials: null,
    tls: { ca: null, cert: null, key: null },
    bufferedEvents: 10_000,
  },
  debug: { objectivePerBit: false },
} as const;

test('the paper preset is the paper’s own settings', () => {
  expect(run('spec.preset=paper', 'spec.bits=24', 'spec.dataset.kind=cub').spec).toEqual({
    method: 'fcaenet',
    bits: 24,
    seed: 0,
    dataset: { path: 'data/test', kind: 'cub', sampleSize: 2000 },
    model: { backbone: 'resnet50', width: 1, imageSize: 224, weights: null },
    augmentation: { crop: 'none', flip: false },
    loss: { gamma: 200, alpha: 1, beta: 1 },
    erasing: { regions: 50, size: 32 },
    schedule: {
      iterations: 40,
      epochs: 20,
      batchSize: 64,
      microbatches: 8,
      learningRate: 0.001,
      decayAfter: [20, 30],
      decayFactor: 0.1,
    },
    ...publishedSettings,
    batchNormalisation: { ...usualBatchNormalisation, momentum: 0.1 },
    firstCodes: 'published',
    sampledOutputs: 'encoded',
    optimizer: { momentum: 0.9, weightDecay: 1e-5, maxGradientNorm: null },
    wire: { precision: 'float32' },
    engine: { name: 'auto', threadsPerMicrobatch: 1 },
    operation,
  } satisfies TrainingRun['spec']);
});

test('the quick preset is a run of minutes', () => {
  expect(run().spec).toEqual({
    method: 'fcaenet',
    bits: 24,
    seed: 0,
    dataset: { path: 'data/test', kind: null, sampleSize: 1000 },
    model: { backbone: 'mobilenet_v1', width: 0.25, imageSize: 64, weights: null },
    augmentation: { crop: 'none', flip: false },
    loss: { gamma: 200, alpha: 1, beta: 1 },
    erasing: { regions: 50, size: 9 },
    schedule: {
      iterations: 7,
      epochs: 4,
      batchSize: 64,
      microbatches: 4,
      learningRate: 0.01,
      decayAfter: [5],
      decayFactor: 0.1,
    },
    ...publishedSettings,
    batchNormalisation: { ...usualBatchNormalisation, momentum: 0.1 },
    firstCodes: 'published',
    sampledOutputs: 'encoded',
    optimizer: { momentum: 0.9, weightDecay: 1e-5, maxGradientNorm: null },
    wire: { precision: 'float32' },
    engine: { name: 'auto', threadsPerMicrobatch: 1 },
    operation,
  } satisfies TrainingRun['spec']);
});

test.each([
  [1, 40, [20, 30]],
  [12, 40, [20, 30]],
  [25, 60, [30, 45, 55]],
  [32, 60, [30, 45, 55]],
  [48, 60, [30, 45, 55]],
  [64, 60, [30, 45, 55]],
])('the paper’s schedule at %i bits', (bits, iterations, decayAfter) => {
  const { schedule } = run('spec.preset=paper', `spec.bits=${bits}`, 'spec.dataset.kind=cub').spec;
  expect(schedule).toMatchObject({ iterations, decayAfter });
});

test.each([
  ['cub', 2000],
  ['aircraft', 2000],
  ['food101', 2000],
  ['nabirds', 4000],
  ['vegfru', 4000],
])('the paper samples by dataset: %s', (kind, sampleSize) => {
  const { dataset } = run('spec.preset=paper', 'spec.bits=12', `spec.dataset.kind=${kind}`).spec;
  expect(dataset.sampleSize).toBe(sampleSize);
});

test('adsh has the schedule and the optimiser of its publication, and records U with any preset', () => {
  const paper = run('spec.preset=paper', 'spec.bits=48', 'spec.method=adsh', 'spec.dataset.kind=cub').spec;
  expect(paper).toMatchObject({
    method: 'adsh',
    dataset: { sampleSize: 2000 },
    loss: { gamma: 200 },
    schedule: { iterations: 50, epochs: 3, batchSize: 64, learningRate: 0.001, decayAfter: [11, 21, 31, 41] },
    sampledOutputs: 'recorded',
    optimizer: { momentum: 0, weightDecay: 5e-4, maxGradientNorm: null },
  });
  const quick = run('spec.method=adsh').spec;
  expect(quick).toMatchObject({ schedule: { iterations: 7 }, sampledOutputs: 'recorded' });
});

test.each([['preset=paper', 'dataset.kind=nabirds'], ['preset=quick']])(
  'exchnet has the schedule of the preset, and no γ: %s',
  (...settings) => {
    const of = (method: string) =>
      run(...settings.map((each) => `spec.${each}`), 'spec.bits=12', `spec.method=${method}`).spec;
    const { loss, ...others } = of('exchnet');
    const baseline = of('baseline');
    expect(loss).toEqual({ ...baseline.loss, gamma: 0 });
    expect(others).toEqual({ ...baseline, method: 'exchnet', loss: undefined });
    expect(of('exchnet').exchnet).toMatchObject({ parts: 4, margin: 0.4, exchange: 0.5 });
  },
);

test.each([
  ['dpsh', { iterations: 150, epochs: 1, batchSize: 128 }],
  ['dsh', { iterations: 280, epochs: 1, batchSize: 200 }],
  ['hashnet', { iterations: 72, epochs: 1, batchSize: 72 }],
  ['fph', { iterations: 100, epochs: 1, batchSize: 128 }],
  ['dash', { iterations: 100, epochs: 1, batchSize: 128 }],
])('%s goes through the whole published train split in each of its iterations', (method, schedule) => {
  for (const [kind, { train }] of Object.entries(officialCounts)) {
    const { spec } = run(
      'spec.preset=paper',
      'spec.bits=12',
      `spec.method=${method}`,
      `spec.dataset.kind=${kind}`,
    );
    expect(spec).toMatchObject({ schedule, dataset: { sampleSize: train } });
  }
});

test.each([
  ['baseline', 0.01],
  ['dsh', 0.01],
  ['dpsh', 0.005],
  ['hashnet', 0.1],
  ['fph', 0.1],
  ['dash', 0.1],
])('the quick preset trains %s with a learning rate of %f', (method, learningRate) => {
  expect(run(`spec.method=${method}`).spec.schedule).toMatchObject({ iterations: 7, learningRate });
});

test('a loss over pairs on a dataset of unknown size asks for the number of training images', () => {
  expect(() => run('spec.preset=paper', 'spec.bits=12', 'spec.method=dsh')).toThrow(
    'spec.dataset.sampleSize is missing and must be the number of training images, or spec.dataset.kind to take that of the published dataset',
  );
});

test('a method that learns no V has no other first V, whatever the run file says', () => {
  for (const asked of ['class-means', 'zero']) {
    const firstCodes = (method: string) =>
      run(`spec.method=${method}`, `spec.firstCodes=${asked}`).spec.firstCodes;
    expect(['baseline', 'srem', 'esrl', 'fcaenet'].map(firstCodes)).toEqual(Array(4).fill(asked));
    expect(['dpsh', 'dsh', 'hashnet', 'lsh', 'sdh'].map(firstCodes)).toEqual(Array(5).fill('published'));
    const ofOthers = asked === 'zero' ? 'published' : asked;
    expect(['adsh', 'exchnet'].map(firstCodes)).toEqual([ofOthers, ofOthers]);
  }
});

test('a method without positives or without a second pass shares batch normalisation in one way, whatever the run file says', () => {
  const of = (method: string) =>
    run(
      `spec.method=${method}`,
      'spec.batchNormalisation.positives=apart',
      'spec.batchNormalisation.runningStatistics=anchors',
    ).spec.batchNormalisation;
  const asked = { positives: 'apart', runningStatistics: 'anchors', momentum: usualStatisticsMomentum };
  const usual = { ...usualBatchNormalisation, momentum: usualStatisticsMomentum };
  expect(['fcaenet', 'esrl'].map(of)).toEqual([asked, asked]);
  expect(of('srem')).toEqual({ ...asked, positives: 'with-anchors' });
  expect(['baseline', 'adsh', 'dsh', 'dash', 'exchnet', 'itq'].map(of)).toEqual(Array(6).fill(usual));
  const joined = run('spec.method=esrl', 'spec.batchNormalisation.runningStatistics=anchors');
  expect(joined.spec.batchNormalisation).toEqual(usual);
});

test('every method that trains a network takes the momentum of the running statistics, and no other', () => {
  for (const method of methods) {
    const { momentum } = run(`spec.method=${method}`, 'spec.batchNormalisation.momentum=0.5').spec
      .batchNormalisation;
    expect({ method, momentum }).toEqual({
      method,
      momentum: featureMethod(method) ? usualStatisticsMomentum : 0.5,
    });
  }
});

test.each(['lsh', 'sh', 'itq', 'sdh'])('%s trains no network, whatever the run file says', (method) => {
  const { schedule, dataset } = run(
    'spec.preset=paper',
    'spec.bits=12',
    `spec.method=${method}`,
    'spec.dataset.sampleSize=2000',
    'spec.schedule.iterations=40',
  ).spec;
  expect(schedule).toMatchObject({ iterations: 1, epochs: 0 });
  expect(dataset.sampleSize).toBe(1);
});

test('a method on features needs no sample size', () => {
  expect(run('spec.preset=paper', 'spec.bits=12', 'spec.method=itq').spec.dataset.sampleSize).toBe(1);
});

test('a method that trains the network needs an epoch', () => {
  expect(() => run('spec.method=baseline', 'spec.schedule.epochs=0')).toThrow(
    'spec.schedule.epochs is 0, but must be at least 1 for baseline, which trains the network',
  );
});

test('a setting of a method has its own bounds', () => {
  const { itq, sdh } = run('spec.itq.iterations=7', 'spec.sdh.nu=0.5').spec;
  expect(itq).toEqual({ iterations: 7 });
  expect(sdh).toEqual({ ...publishedSettings.sdh, nu: 0.5 });
  expect(() => run('spec.sdh.anchors=0')).toThrow(
    'spec.sdh.anchors is 0, but must be a whole number from 1 to 100000',
  );
});

test('a residual network under the quick preset has no channel multiplier', () => {
  expect(run('spec.model.backbone=resnet18').spec.model.width).toBe(1);
});

test('examples/quick.yaml is the quick preset on the synthetic dataset', () => {
  const example = readTrainingRun('examples/quick.yaml');
  expect(example.metadata.name).toBe('quick');
  expect(example.spec).toEqual(
    run('spec.dataset.path=data/synthetic', 'spec.operation.evaluation.untrained=true').spec,
  );
});

test('examples/cub.yaml is the schedule whose figures are published', () => {
  expect(readTrainingRun('examples/cub.yaml').spec).toEqual({
    method: 'fcaenet',
    bits: 24,
    seed: 0,
    dataset: { path: 'data/CUB_200_2011', kind: null, sampleSize: 1000 },
    model: {
      backbone: 'mobilenet_v1',
      width: 0.25,
      imageSize: 128,
      weights: 'weights/mobilenet_v1-0.25.safetensors',
    },
    augmentation: { crop: 'none', flip: false },
    loss: { gamma: 200, alpha: 1, beta: 1 },
    erasing: { regions: 50, size: 18 },
    schedule: {
      iterations: 8,
      epochs: 3,
      batchSize: 64,
      microbatches: 8,
      learningRate: 0.006,
      decayAfter: [6],
      decayFactor: 0.1,
    },
    ...publishedSettings,
    batchNormalisation: { ...usualBatchNormalisation, momentum: 0.1 },
    firstCodes: 'published',
    sampledOutputs: 'encoded',
    optimizer: { momentum: 0.9, weightDecay: 1e-5, maxGradientNorm: null },
    wire: { precision: 'float32' },
    engine: { name: 'auto', threadsPerMicrobatch: 1 },
    operation,
  } satisfies TrainingRun['spec']);
});
