import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseTrainingRun } from '../../src/run/read.js';
import type { TrainingRun } from '../../src/run/training-run.js';

/** The shortest run file that says everything it must. */
export const minimal = `
apiVersion: fcaenet.dev/v1
kind: TrainingRun
metadata: { name: test }
spec: { preset: quick, dataset: { path: data/test } }
`;

export function run(...overrides: string[]): TrainingRun {
  return parseTrainingRun(minimal, 'run.yaml', overrides);
}

/** A folder that is gone after the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'fcaenet-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
