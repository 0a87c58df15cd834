import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { RunResult } from '../../src/coordinator/training/result.js';
import { jpegPicture } from '../data/pictures.js';
import { type CubFiles, writeCub } from '../data/support.js';

const classes = 4;
const trainPerClass = 8;
const testPerClass = 3;

/** Four classes of eight training and three test pictures in CUB layout. */
export async function smallDataset(root: string): Promise<CubFiles> {
  const perClass = trainPerClass + testPerClass;
  const images = Array.from({ length: classes * perClass }, (_, i) => ({
    id: i + 1,
    classId: (i % classes) + 1,
    file: `00${(i % classes) + 1}.Kind/${i}.jpg`,
    train: Math.floor(i / classes) < trainPerClass ? 1 : 0,
  }));
  const lines = (line: (image: (typeof images)[number]) => string) =>
    images.map((image) => `${line(image)}\n`).join('');
  const pictures = await Promise.all(
    images.map(async ({ file, id, classId }) => [file, await jpegPicture(classId * 50 + id)] as const),
  );
  const files: CubFiles = {
    'images.txt': lines(({ id, file }) => `${id} ${file}`),
    'image_class_labels.txt': lines(({ id, classId }) => `${id} ${classId}`),
    'train_test_split.txt': lines(({ id, train }) => `${id} ${train}`),
    'classes.txt': Array.from({ length: classes }, (_, i) => `${i + 1} 00${i + 1}.Kind\n`).join(''),
    images: Object.fromEntries(pictures),
  };
  await writeCub(root, files);
  return files;
}

/** A folder with a dataset and a run file whose run takes seconds: three iterations of two epochs of two steps. */
export interface SmallRun {
  readonly folder: string;
  readonly runFile: string;
  result(name: string): Promise<RunResult>;
  /** A copy of the dataset beside it, to be damaged. @returns its folder */
  copyOfData(name: string): Promise<string>;
  remove(): Promise<void>;
}

export async function smallRun(): Promise<SmallRun> {
  const folder = await mkdtemp(join(tmpdir(), 'fcaenet-run-'));
  await smallDataset(join(folder, 'data'));
  const runFile = join(folder, 'run.yaml');
  // Whole, so that a test that reads the run in its own process leaves nothing in the project's folder.
  const operation = { ...smallRunFile.spec.operation, cache: { directory: join(folder, 'cache') } };
  await writeFile(runFile, stringify({ ...smallRunFile, spec: { ...smallRunFile.spec, operation } }));
  return {
    folder,
    runFile,
    result: async (name) => JSON.parse(await readFile(join(folder, 'runs', name, 'result.json'), 'utf8')),
    copyOfData: async (name) => {
      const copy = join(folder, name);
      await cp(join(folder, 'data'), copy, { recursive: true });
      return copy;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** 20 rows an epoch in batches of 13 and 7, cut into 5 microbatches: leaves of uneven size everywhere. */
export const smallRunFile = {
  apiVersion: 'fcaenet.dev/v1',
  kind: 'TrainingRun',
  metadata: { name: 'small' },
  spec: {
    preset: 'quick',
    method: 'fcaenet',
    bits: 12,
    dataset: { path: 'data', sampleSize: 20 },
    engine: { name: process.env.FCAENET_TEST_ENGINE ?? 'auto' },
    model: { backbone: 'mobilenet_v1', width: 0.25, imageSize: 64 },
    schedule: {
      iterations: 3,
      epochs: 2,
      batchSize: 13,
      microbatches: 5,
      learningRate: 0.01,
      decayAfter: [2],
    },
    operation: {
      metrics: 'off',
      cache: { directory: 'cache' },
      checkpoint: { everySteps: 1, keep: 50 },
      evaluation: { every: 1 },
    },
  },
};
