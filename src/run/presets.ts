import { featureMethod, presetGamma, publishedTraining, quickLearningRate } from '../methods/methods.js';
import { usualBatchNormalisation, usualStatisticsMomentum } from '../methods/passes.js';
import { publishedSettings } from '../methods/settings.js';
import { RunFileError } from './error.js';
import type { WrittenSpec } from './schema.js';
import type { DatasetKind, Operation, TrainingRunSpec } from './training-run.js';

/**
 * A preset sets everything except the dataset's path. `paper` requires the code length and the dataset, because its
 * schedule and sample size depend on them.
 */
export type PresetSpec = Omit<TrainingRunSpec, 'dataset' | 'operation' | 'erasing'> & {
  readonly dataset: { readonly sampleSize: number };
};

/** The default: the paper's own settings (method 1.10), and of another publication's method how that one trains. */
export function paperPreset(written: WrittenSpec): PresetSpec {
  const bits = written.bits ?? missing('spec.bits', 'a code length from 1 to 64');
  const method = written.method ?? 'fcaenet';
  const isTrained = featureMethod(method) === null;
  const published = publishedTraining(method);
  const sizeOf = published?.wholeSplit ? trainSplitSize : paperSampleSize;
  const sampleSize = written.dataset?.sampleSize ?? (isTrained ? sizeOf(written.dataset?.kind) : 1);
  return {
    method,
    bits,
    seed: 0,
    dataset: { sampleSize },
    model: { backbone: 'resnet50', width: 1, imageSize: 224, weights: null },
    augmentation: { crop: 'none', flip: false },
    loss: { gamma: presetGamma(method) ?? 200, alpha: 1, beta: 1 },
    schedule: {
      ...paperSchedule(bits),
      epochs: 20,
      batchSize: 64,
      microbatches: 8,
      learningRate: 0.001,
      decayFactor: 0.1,
      ...published?.schedule,
    },
    ...publishedSettings,
    batchNormalisation: { ...usualBatchNormalisation, momentum: usualStatisticsMomentum },
    firstCodes: 'published',
    sampledOutputs: published?.sampledOutputs ?? 'encoded',
    optimizer: { ...(published?.optimizer ?? { momentum: 0.9, weightDecay: 1e-5 }), maxGradientNorm: null },
    wire: { precision: 'float32' },
    engine: { name: 'auto', threadsPerMicrobatch: 1 },
  };
}

/** A run of some minutes on two CPU cores, on pictures as small as the synthetic dataset's. */
export function quickPreset(written: WrittenSpec): PresetSpec {
  const method = written.method ?? 'fcaenet';
  return {
    method,
    bits: written.bits ?? 24,
    seed: 0,
    dataset: { sampleSize: 1000 },
    model: { backbone: 'mobilenet_v1', width: 0.25, imageSize: 64, weights: null },
    augmentation: { crop: 'none', flip: false },
    loss: { gamma: presetGamma(method) ?? 200, alpha: 1, beta: 1 },
    schedule: {
      iterations: 7,
      epochs: 4,
      batchSize: 64,
      microbatches: 4,
      learningRate: quickLearningRate(method) ?? 0.01,
      decayAfter: [5],
      decayFactor: 0.1,
    },
    ...publishedSettings,
    batchNormalisation: { ...usualBatchNormalisation, momentum: usualStatisticsMomentum },
    firstCodes: 'published',
    sampledOutputs: publishedTraining(method)?.sampledOutputs ?? 'encoded',
    optimizer: { momentum: 0.9, weightDecay: 1e-5, maxGradientNorm: null },
    wire: { precision: 'float32' },
    engine: { name: 'auto', threadsPerMicrobatch: 1 },
  };
}

/** Common to all presets: how a run is carried out, not what it computes. */
export const defaultOperation: Operation = {
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
  cache: { directory: '.cache/images', limitBytes: 32 * 1024 ** 3 },
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
};

/** Default side of an erased square: the paper's 32 pixels at 224, the same share of the picture at other sizes. */
export function erasedSize(imageSize: number): number {
  return Math.max(1, Math.round((32 * imageSize) / 224));
}

/** The paper gives 12, 24, 32 and 48 bits. Lengths up to 24 use its shorter schedule, longer ones the other. */
function paperSchedule(bits: number): { iterations: number; decayAfter: number[] } {
  return bits <= 24 ? { iterations: 40, decayAfter: [20, 30] } : { iterations: 60, decayAfter: [30, 45, 55] };
}

function paperSampleSize(kind: DatasetKind | null | undefined): number {
  if (kind === undefined || kind === null) {
    return missing('spec.dataset.sampleSize', 'a whole number, or spec.dataset.kind to take the paper’s');
  }
  return kind === 'nabirds' || kind === 'vegfru' ? 4000 : 2000;
}

/** Images of the published train splits. */
const trainSplits: Readonly<Record<DatasetKind, number>> = {
  cub: 5994,
  aircraft: 6667,
  food101: 75_750,
  nabirds: 23_929,
  vegfru: 29_200,
};

function trainSplitSize(kind: DatasetKind | null | undefined): number {
  if (kind !== undefined && kind !== null) return trainSplits[kind];
  return missing(
    'spec.dataset.sampleSize',
    'the number of training images, or spec.dataset.kind to take that of the published dataset',
  );
}

/** Reports a missing field that has no default. */
export function missing(field: string, expected: string): never {
  throw new RunFileError('RUN_FIELD_MISSING', `${field} is missing and must be ${expected}`);
}
