import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import type { Console } from '../../src/console/console.js';
import { RunCheckpoints } from '../../src/coordinator/checkpoints/run-checkpoints.js';
import { RunState } from '../../src/coordinator/training/run-state.js';
import { loadDataset } from '../../src/data/dataset.js';
import { pictureListOf } from '../../src/data/picture-list.js';
import { KeyedRandom } from '../../src/data/random.js';
import type { Ledger } from '../../src/ledger/ledger.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeRunModel } from '../../src/model/layout.js';
import { readTrainingRun } from '../../src/run/read.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { randomCodes } from '../retrieval/brute-force.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

/** A console that shows nothing. */
export const quietConsole = {
  log,
  startTask: () => ({ update: () => {}, finish: () => {} }),
} as unknown as Console;

/**
 * Writes the directory of a run that trained nothing: initial weights, random codes, two iterations of history, one of
 * them with a mean average precision, and some events.
 * @param change of the state, before it is written
 * @returns its path
 */
export async function makeRun(
  runFile: string,
  folder: string,
  overrides: readonly string[] = [],
  change: (state: RunState) => void = () => {},
): Promise<string> {
  const run = readTrainingRun(runFile, [
    `spec.operation.runsDirectory=${join(folder, 'runs')}`,
    `spec.dataset.path=${join(folder, 'data')}`,
    ...overrides,
  ]);
  const { spec } = run;
  const layout = describeRunModel(spec);
  const dataset = await loadDataset(spec.dataset.path);
  const state = RunState.initial(
    spec,
    initialWeights(layout, new KeyedRandom(1)),
    dataset.train.labels.length,
  );
  state.queryCodes = randomCodes(5, dataset.test.labels.length, spec.bits);
  state.position = { iteration: 2, epoch: 0, step: 0, phase: 'train', globalStep: 8 };
  const record = { learningRate: 0.01, losses: [3, 2, 1, 0.5], flippedBits: 4 };
  const evaluation = { queries: 12, mAP: 0.25, tieAveragedMAP: 0.125, precisionAt: {} };
  state.history = [
    { ...record, iteration: 1, evaluation: null },
    { ...record, iteration: 2, evaluation },
  ];
  if (spec.method === 'itq') state.hash = { mean: { rows: 1, columns: 1, data: new Float64Array(1) } };
  change(state);
  const directory = RunDirectory.open(run, 'auto');
  const checkpoints = new RunCheckpoints({
    run,
    directory,
    dataset,
    layout,
    term: 1,
    fence: { check: () => {}, accepts: () => true },
    log,
    clock: systemClock,
  });
  const ledger = { sync: async () => 'f'.repeat(64) } as unknown as Ledger;
  await checkpoints.saveAndWait(state, { identity: null, version: '0.1.0' }, ledger, () => {});
  directory.writePictures(pictureListOf(dataset, spec.dataset.path));
  directory.writeRunFile(run);
  const at = { run: run.metadata.name, term: 1, position: state.position };
  const events = [
    { type: 'run.started' },
    { type: 'worker.joined', worker: 'worker 0' },
    { type: 'worker.set-aside', worker: 'worker 0', reason: 'it was <late>' },
  ].map((body, index) => ({
    ...at,
    sequence: index + 1,
    time: new Date(1000 * index).toISOString(),
    ...body,
  }));
  for (const event of events) appendFileSync(directory.eventsFile, `${JSON.stringify(event)}\n`);
  directory.release();
  return directory.path;
}
