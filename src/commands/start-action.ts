import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Console, openConsole } from '../console/console.js';
import { trainOn } from '../coordinator/command.js';
import { listDataset } from '../data/dataset.js';
import { publishedFor } from '../model/weights/catalogue.js';
import { isThere } from '../run/presence.js';
import { readTrainingRun } from '../run/read.js';
import { makeDatasetOn } from './dataset-actions.js';
import { type StartOptions, startWorkers } from './start.js';

const quickRunFile = fileURLToPath(new URL('../../examples/quick.yaml', import.meta.url));

/** In photographs, small parts need more pixels than in the synthetic dataset. */
const photographPixels = 128;

/**
 * `fcaenet start`: trains examples/quick.yaml on the synthetic dataset, which it makes first, or on the user's folder.
 * Continues the run of an earlier start.
 */
export async function start({ data, workers, set }: StartOptions): Promise<void> {
  const console = openConsole('beside');
  try {
    const overrides = [`spec.operation.workers=${workers ?? startWorkers}`];
    if (data === undefined) {
      const { spec } = readTrainingRun(quickRunFile, set);
      await makeDatasetOn(console, spec.dataset.path, {});
    } else {
      overrides.push(...(await settingsFor(console, data, set)));
    }
    await trainOn(console, readTrainingRun(quickRunFile, [...overrides, ...set]), 'auto');
  } finally {
    console.close();
  }
}

/**
 * Settings for a folder of photographs: no more samples than training images, and pretrained weights if they exist.
 * Each combination has its own run name, so that a run without weights is not mistaken for one with them.
 */
async function settingsFor(
  { log }: Console,
  data: string,
  set: readonly string[],
): Promise<readonly string[]> {
  const { train } = await listDataset(data);
  const { spec: quick } = readTrainingRun(quickRunFile);
  const settings = [
    `spec.dataset.path=${data}`,
    `spec.dataset.sampleSize=${Math.min(quick.dataset.sampleSize, train.labels.length)}`,
    'spec.operation.evaluation.untrained=true',
    `spec.model.imageSize=${photographPixels}`,
  ];
  const published = publishedFor(readTrainingRun(quickRunFile, [...settings, ...set]).spec.model);
  const path = published && join('weights', published.file);
  if (path && isThere(path)) settings.push(`spec.model.weights=${path}`);
  const { weights } = readTrainingRun(quickRunFile, [...settings, ...set]).spec.model;
  if (published && weights === null) {
    log.warn(
      'no pretrained weights: codes trained only on these photographs are hardly better than untrained features',
      {
        remedy: `npx fcaenet weights fetch ${published.name} --output ${path}`,
      },
    );
  }
  const ending = weights === null ? '' : '-pretrained';
  const name = `quick-${basename(data).replace(/[^A-Za-z0-9._-]/g, '-')}`.slice(0, 63 - ending.length);
  return [...settings, `metadata.name=${name}${ending}`];
}
