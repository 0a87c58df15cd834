import type { Dataset } from '../../src/data/dataset.js';
import { readTrainingRun } from '../../src/run/read.js';
import type { TrainingRun } from '../../src/run/training-run.js';
import type { Plan } from './faults.js';
import { bits } from './simulated-network.js';

const classCount = 3;

/** By the steps of an iteration. Where there is one step, both encode requests of an iteration have several batches. */
const sizes = {
  4: { train: 24, test: 100, sampleSize: 16, batchSize: 8, epochs: 2 },
  1: { train: 144, test: 200, sampleSize: 144, batchSize: 144, epochs: 1 },
} as const;

const datasets = { 4: datasetOfSize(sizes[4]), 1: datasetOfSize(sizes[1]) };

/** Labels and names; nobody opens a picture. */
export function datasetOf({ steps }: Pick<Plan, 'steps'>): Dataset {
  return datasets[steps];
}

function datasetOfSize({ train, test }: { readonly train: number; readonly test: number }): Dataset {
  return {
    root: 'simulated',
    imagesRoot: 'simulated',
    format: 'cub',
    classNames: Array.from({ length: classCount }, (_, label) => `class ${label}`),
    train: splitOf('train', train),
    test: splitOf('test', test),
    fingerprint: 'f'.repeat(64),
    truncatedPictures: 'reject',
  };
}

function splitOf(name: 'train' | 'test', count: number): Dataset['train'] {
  return {
    name,
    paths: Array.from({ length: count }, (_, i) => `${name}/${i}.png`),
    labels: Int32Array.from({ length: count }, (_, i) => i % classCount),
    byteCounts: new Float64Array(count).fill(1),
    digests: new Uint8Array(32 * count),
  };
}

type Settings = Pick<
  Plan,
  'method' | 'precision' | 'iterations' | 'steps' | 'minWorkers' | 'exchange' | 'verificationRate'
>;

/** Run files as read, by their settings: reading one takes longer than most of what is simulated. */
const runs = new Map<string, TrainingRun>();

/** A run in which every iteration is evaluated. */
export function runIn(runsDirectory: string, plan: Settings): TrainingRun {
  const { method, precision, iterations, steps, minWorkers, exchange, verificationRate } = plan;
  const settings = [method, precision, iterations, steps, minWorkers, exchange, verificationRate].join(' ');
  const run = runs.get(settings) ?? readRun(plan);
  runs.set(settings, run);
  return { ...run, spec: { ...run.spec, operation: { ...run.spec.operation, runsDirectory } } };
}

function readRun({
  method,
  precision,
  iterations,
  steps,
  minWorkers,
  exchange,
  verificationRate,
}: Settings): TrainingRun {
  const { sampleSize, batchSize, epochs } = sizes[steps];
  return readTrainingRun('examples/quick.yaml', [
    'metadata.name=simulated',
    `spec.bits=${bits}`,
    `spec.method=${method}`,
    `spec.wire.precision=${precision}`,
    `spec.dataset.sampleSize=${sampleSize}`,
    `spec.schedule.iterations=${iterations}`,
    `spec.schedule.epochs=${epochs}`,
    `spec.schedule.batchSize=${batchSize}`,
    'spec.schedule.microbatches=4',
    'spec.schedule.decayAfter=[]',
    'spec.operation.checkpoint.everySteps=1',
    'spec.operation.checkpoint.keep=2',
    'spec.operation.evaluation.every=1',
    'spec.operation.evaluation.untrained=false',
    `spec.operation.exchange=${exchange ? 'auto' : 'off'}`,
    `spec.operation.verification.rate=${verificationRate}`,
    `spec.operation.membership.minWorkers=${minWorkers}`,
    'spec.operation.membership.silenceSeconds=10',
  ]);
}
