import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openConsole } from '../console/console.js';
import { trainOn } from '../coordinator/command.js';
import { listDataset } from '../data/dataset.js';
import { readTrainingRun } from '../run/read.js';
import { makeDatasetOn } from './dataset-actions.js';
import { type StartOptions, startWorkers } from './start.js';

const quickRunFile = fileURLToPath(new URL('../../examples/quick.yaml', import.meta.url));

/**
 * `fcaenet start`: trains examples/quick.yaml, on the synthetic dataset, which it draws first, or on a folder of the
 * user's. Goes on with the run where an earlier start left it.
 */
export async function start({ data, workers, set }: StartOptions): Promise<void> {
  const console = openConsole('beside');
  try {
    const overrides = [`spec.operation.workers=${workers ?? startWorkers}`];
    if (data === undefined) {
      const { spec } = readTrainingRun(quickRunFile, set);
      await makeDatasetOn(console, spec.dataset.path, {});
    } else {
      overrides.push(...(await settingsFor(data)));
    }
    await trainOn(console, readTrainingRun(quickRunFile, [...overrides, ...set]), 'auto');
  } finally {
    console.close();
  }
}

/** A run of its own for the folder, and no more samples than it has training images. */
async function settingsFor(data: string): Promise<string[]> {
  const { sampleSize } = readTrainingRun(quickRunFile).spec.dataset;
  const { train } = await listDataset(data);
  const name = `quick-${basename(data).replace(/[^A-Za-z0-9._-]/g, '-')}`.slice(0, 63);
  return [
    `metadata.name=${name}`,
    `spec.dataset.path=${data}`,
    `spec.dataset.sampleSize=${Math.min(sampleSize, train.labels.length)}`,
    'spec.operation.evaluation.untrained=true',
  ];
}
