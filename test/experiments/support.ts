import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { stringify } from 'yaml';
import type { RunResult } from '../../src/coordinator/training/result.js';
import type { Cell } from '../../src/experiments/cell.js';
import { directoryOf } from '../../src/experiments/cell.js';
import { type GridOptions, planGrid } from '../../src/experiments/plan-grid.js';
import { methodVariants } from '../../src/experiments/variants.js';
import { parseTrainingRuns } from '../../src/run/read.js';
import { RunDirectory } from '../../src/run/run-directory.js';

const file = {
  apiVersion: 'fcaenet.dev/v1',
  kind: 'TrainingRun',
  metadata: { name: 'run' },
  spec: {
    preset: 'quick',
    seed: 5,
    dataset: { path: 'data', sampleSize: 20 },
    schedule: { iterations: 3, epochs: 4, batchSize: 10 },
  },
};

/** A run file with settings on top of it. */
export const resolve = parseTrainingRuns(stringify(file), 'run.yaml');

/** A plan of FCAENet, its baseline and LSH at 8 and 12 bits with two seeds. */
export function plan(options: Partial<GridOptions> = {}) {
  return planGrid({
    variants: methodVariants(['fcaenet', 'baseline', 'lsh']),
    bits: [8, 12],
    seedCount: 2,
    equalities: ['steps', 'images'],
    output: 'out',
    tuned: [],
    overrides: [],
    resolve,
    ...options,
  });
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** The result of a finished run with this figure. */
export function resultOf(cell: Cell, mAP: number, changes: object = {}): RunResult {
  const { spec } = cell.run;
  return {
    run: cell.name,
    term: 1,
    dataset: { path: 'data', fingerprint: digest('images'), classes: 3, train: 40, test: 10 },
    method: spec.method,
    bits: spec.bits,
    seed: spec.seed,
    mAP,
    tieAveragedMAP: mAP / 2,
    precisionAt: {},
    untrained: null,
    workers: 1,
    steps: 24,
    images: 240,
    seconds: 60,
    imagesPerSecond: 4,
    weightsSha256: digest(`weights ${cell.name}`),
    codesSha256: digest(`codes ${cell.name}`),
    history: [],
    ...changes,
  } as unknown as RunResult;
}

/** Writes a run directory as a finished run leaves it. */
export function writeFinished(cell: Cell, result: object = resultOf(cell, 0.5)): void {
  const directory = RunDirectory.at(directoryOf(cell));
  mkdirSync(directory.path, { recursive: true });
  directory.writeRunFile(cell.run);
  directory.writeResult(result);
}
