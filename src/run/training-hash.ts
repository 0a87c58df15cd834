import { createHash } from 'node:crypto';
import { methodSettings } from '../methods/settings.js';
import type { TrainingRun } from './training-run.js';

/**
 * The settings that a run's result depends on, as one flat map from path to value: all of `spec` except `operation`,
 * the dataset's path, the weights' path and the settings of other methods. It includes whether there are weights. Their
 * content and the dataset's have their own digests.
 */
export function trainingSettings(run: TrainingRun): Record<string, unknown> {
  const { operation: _, dataset, model, ...rest } = run.spec;
  const { weights, ...shape } = model;
  const ofOthers = Object.keys(methodSettings).filter((group) => group !== run.spec.method);
  const used = Object.entries(rest).filter(([name]) => !ofOthers.includes(name));
  return flatten('spec', {
    ...Object.fromEntries(used),
    dataset: { sampleSize: dataset.sampleSize },
    model: { ...shape, pretrained: weights !== null },
  });
}

/**
 * Settings that came after the first runs, with the value that those runs have. The hash leaves this value out, so that
 * such a run has the hash that it had and can be resumed.
 */
const laterSettings: Readonly<Record<string, unknown>> = {
  'spec.wire.precision': 'float32',
  'spec.firstCodes': 'published',
  'spec.batchNormalisation.positives': 'with-anchors',
  'spec.batchNormalisation.runningStatistics': 'every-pass',
  'spec.batchNormalisation.momentum': 0.1,
  'spec.optimizer.maxGradientNorm': null,
};

/** SHA-256, in lower-case hexadecimal, of the training settings as JSON with sorted keys. */
export function trainingHash(run: TrainingRun): string {
  const sorted = Object.entries(trainingSettings(run))
    .filter(([path, value]) => laterSettings[path] !== value)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

/** The settings in which two runs differ, each as `spec.bits (24, now 12)`; empty when their hashes are equal. */
export function trainingDifferences(before: TrainingRun, now: TrainingRun): string[] {
  return differencesOfSettings(trainingSettings(before), trainingSettings(now));
}

/** The same for the settings of two runs, as `trainingSettings` gives them. Older ones may lack those that came later. */
export function differencesOfSettings(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  const old: Readonly<Record<string, unknown>> = { ...laterSettings, ...before };
  const current: Readonly<Record<string, unknown>> = { ...laterSettings, ...now };
  return Object.keys({ ...old, ...current })
    .filter((path) => JSON.stringify(old[path]) !== JSON.stringify(current[path]))
    .map((path) => `${path} (${JSON.stringify(old[path])}, now ${JSON.stringify(current[path])})`);
}

function flatten(prefix: string, group: Record<string, unknown>): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(group)) {
    const path = `${prefix}.${key}`;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      Object.assign(flat, flatten(path, value as Record<string, unknown>));
    } else {
      flat[path] = value;
    }
  }
  return flat;
}
