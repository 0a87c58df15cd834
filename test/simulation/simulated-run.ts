import type { Dataset } from '../../src/data/dataset.js';
import { readTrainingRun } from '../../src/run/read.js';
import type { TrainingRun } from '../../src/run/training-run.js';
import type { Plan } from './faults.js';
import { bits } from './simulated-network.js';

const classCount = 3;
const trainCount = 24;
const testCount = 100;

/** Labels and names; nobody opens a picture. */
export const dataset: Dataset = {
  root: 'simulated',
  imagesRoot: 'simulated',
  format: 'cub',
  classNames: Array.from({ length: classCount }, (_, label) => `class ${label}`),
  train: splitOf('train', trainCount),
  test: splitOf('test', testCount),
  fingerprint: 'f'.repeat(64),
  truncatedPictures: 'reject',
};

function splitOf(name: 'train' | 'test', count: number): Dataset['train'] {
  return {
    name,
    paths: Array.from({ length: count }, (_, i) => `${name}/${i}.png`),
    labels: Int32Array.from({ length: count }, (_, i) => i % classCount),
    byteCounts: new Float64Array(count).fill(1),
    digests: new Uint8Array(32 * count),
  };
}

type Settings = Pick<Plan, 'iterations' | 'minWorkers' | 'verificationRate'>;

/** Run files as read, by their settings: reading one takes longer than most of what is simulated. */
const runs = new Map<string, TrainingRun>();

/** A run of four steps in each iteration, every iteration evaluated. */
export function runIn(
  runsDirectory: string,
  { iterations, minWorkers, verificationRate }: Settings,
): TrainingRun {
  const settings = [iterations, minWorkers, verificationRate].join(' ');
  const run = runs.get(settings) ?? readRun({ iterations, minWorkers, verificationRate });
  runs.set(settings, run);
  return { ...run, spec: { ...run.spec, operation: { ...run.spec.operation, runsDirectory } } };
}

function readRun({ iterations, minWorkers, verificationRate }: Settings): TrainingRun {
  return readTrainingRun('examples/quick.yaml', [
    'metadata.name=simulated',
    `spec.bits=${bits}`,
    'spec.method=baseline',
    'spec.dataset.sampleSize=16',
    `spec.schedule.iterations=${iterations}`,
    'spec.schedule.epochs=2',
    'spec.schedule.batchSize=8',
    'spec.schedule.microbatches=4',
    'spec.schedule.decayAfter=[]',
    'spec.operation.checkpoint.everySteps=1',
    'spec.operation.checkpoint.keep=2',
    'spec.operation.evaluation.every=1',
    'spec.operation.evaluation.untrained=false',
    `spec.operation.verification.rate=${verificationRate}`,
    `spec.operation.membership.minWorkers=${minWorkers}`,
    'spec.operation.membership.silenceSeconds=10',
  ]);
}
