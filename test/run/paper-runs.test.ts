import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RunState } from '../../src/coordinator/training/run-state.js';
import { readTrainingRun } from '../../src/run/read.js';
import type { TrainingRunSpec } from '../../src/run/training-run.js';
import { learningRateAt } from '../../src/schedule/schedule.js';

const lengths = [12, 24, 32, 48] as const;
const datasets = ['cub', 'aircraft', 'food101', 'nabirds', 'vegfru'] as const;
const runs = datasets.flatMap((kind) => lengths.map((bits) => ({ name: `${kind}-${bits}bit`, kind, bits })));

/** Learning rates of the iterations, counted from 1, as [first, last, rate]. */
function expectRates({ schedule }: TrainingRunSpec, stretches: readonly [number, number, number][]): void {
  for (const [first, last, rate] of stretches) {
    expect(learningRateAt(schedule, first - 1)).toBeCloseTo(rate, 12);
    expect(learningRateAt(schedule, last - 1)).toBeCloseTo(rate, 12);
  }
  expect(schedule.iterations).toBe(stretches.at(-1)![1]);
}

/** Method 1.10, line by line: the table's item and value, and what a run file must say for it. */
const table: readonly [
  item: string,
  value: string,
  check: (run: (typeof runs)[number], spec: TrainingRunSpec) => void,
][] = [
  [
    'optimiser',
    'SGD, momentum 0.9, weight decay 1e-5, initial lr 1e-3, batch 64',
    (_, { optimizer, schedule }) => {
      expect(optimizer).toEqual({ momentum: 0.9, weightDecay: 1e-5, maxGradientNorm: null });
      expect(schedule).toMatchObject({ learningRate: 1e-3, batchSize: 64 });
    },
  ],
  [
    '12, 24 bits',
    '40 outer iterations; lr /10 at iterations 20 and 30',
    ({ bits }, spec) => {
      if (bits > 24) return;
      expectRates(spec, [
        [1, 20, 1e-3],
        [21, 30, 1e-4],
        [31, 40, 1e-5],
      ]);
    },
  ],
  [
    '32, 48 bits',
    '60 outer iterations; lr /10 at 30, 45, 55',
    ({ bits }, spec) => {
      if (bits < 32) return;
      expectRates(spec, [
        [1, 30, 1e-3],
        [31, 45, 1e-4],
        [46, 55, 1e-5],
        [56, 60, 1e-6],
      ]);
    },
  ],
  [
    'per outer iteration',
    '20 epochs over the r sampled images/triplets, then one V-sweep',
    (_, { schedule }) => expect(schedule.epochs).toBe(20),
  ],
  [
    'r (=m)',
    '2000 CUB/Aircraft/Food101; 4000 NABirds/VegFru',
    ({ kind }, { dataset }) =>
      expect(dataset.sampleSize).toBe(
        { cub: 2000, aircraft: 2000, food101: 2000, nabirds: 4000, vegfru: 4000 }[kind],
      ),
  ],
  [
    'V init',
    'random',
    (_, spec) => {
      const none = { parameters: new Float32Array(), mean: new Float32Array(), variance: new Float32Array() };
      const { codes } = RunState.initial({ ...spec, dataset: { ...spec.dataset, sampleSize: 1 } }, none, 500);
      const mean = codes.reduce((sum, bit) => sum + bit, 0) / codes.length;
      expect(new Set(codes)).toEqual(new Set([-1, 1]));
      expect(Math.abs(mean)).toBeLessThan(0.05);
    },
  ],
  ['input', '224 x 224 for train and test', (_, { model }) => expect(model.imageSize).toBe(224)],
  [
    'same settings for baseline and FCAENet',
    'yes',
    ({ name }, spec) => {
      const baseline = readTrainingRun(`examples/${name}.yaml`, ['spec.method=baseline']).spec;
      expect({ ...baseline, method: 'fcaenet' }).toEqual(spec);
    },
  ],
];

describe.each(runs)('examples/$name.yaml', (run) => {
  const file = readTrainingRun(`examples/${run.name}.yaml`);

  test('is named after itself and expects its dataset and a pretrained ResNet-50', () => {
    expect(file.metadata.name).toBe(run.name);
    expect(file.spec).toMatchObject({
      method: 'fcaenet',
      bits: run.bits,
      dataset: { kind: run.kind },
      model: { backbone: 'resnet50', weights: 'weights/resnet50.safetensors' },
      loss: { gamma: 200 },
      erasing: { regions: 50, size: 32 },
    });
  });

  test.each(table)('%s: %s', (_item, _value, check) => check(run, file.spec));
});

test('there is a run file for each dataset and code length, and none besides those, cub and quick', () => {
  expect(readdirSync('examples').sort()).toEqual(
    [...runs.map(({ name }) => `${name}.yaml`), 'cub.yaml', 'quick.yaml'].sort(),
  );
});
