import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FcaenetError } from '../errors.js';
import { readTrainingRun } from '../run/read.js';
import type { TrainingRun } from '../run/training-run.js';

/** How the paths of dataset and weights differ, a phrase each. The training hash leaves them out. */
export function dataDifferences(before: TrainingRun, now: TrainingRun): string[] {
  const paths = ({ spec }: TrainingRun) => ({
    'spec.dataset.path': spec.dataset.path,
    'spec.model.weights': spec.model.weights,
  });
  const [old, wanted] = [paths(before), paths(now)];
  const names = Object.keys(old) as (keyof typeof old)[];
  return names
    .filter((name) => old[name] !== wanted[name])
    .map((name) => `${name} (${JSON.stringify(old[name])}, now ${JSON.stringify(wanted[name])})`);
}

/**
 * A sentence on the first run file of other data than all `runs`; null where there is none. Files that cannot be read do not
 * count.
 * @param folder whose folders may have a `run.yaml`
 */
export function sentenceOfOtherData(folder: string, runs: readonly TrainingRun[]): string | null {
  for (const name of foldersIn(folder)) {
    const file = join(folder, name, 'run.yaml');
    const before = readIfRun(file);
    if (before === null || runs.some((run) => dataDifferences(before, run).length === 0)) continue;
    return `${file} is of a run with other data: ${dataDifferences(before, runs[0]!).join(', ')}`;
  }
  return null;
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readIfRun(file: string): TrainingRun | null {
  try {
    return readTrainingRun(file);
  } catch (error) {
    if (error instanceof FcaenetError) return null;
    throw error;
  }
}
