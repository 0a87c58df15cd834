import { systemClock } from '../clock.js';
import type { Log } from '../console/log.js';
import { RunCheckpoints } from '../coordinator/checkpoints/run-checkpoints.js';
import { readersFence } from '../coordinator/leadership/leadership.js';
import { digestMemory } from '../data/content/digest-pictures.js';
import { type Dataset, loadDataset } from '../data/dataset.js';
import { describeRunModel } from '../model/layout.js';
import type { RunDirectory } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';

/**
 * Opens a run's dataset and checkpoints for reading.
 * @param run the run file, with the dataset's folder to use
 * @throws the errors of reading the dataset
 */
export async function openRecordedRun(
  directory: RunDirectory,
  run: TrainingRun,
  log: Log,
): Promise<{ dataset: Dataset; checkpoints: RunCheckpoints }> {
  const { spec } = run;
  const dataset = await loadDataset(spec.dataset.path, {
    memory: digestMemory(spec.operation.cache.directory, log),
  });
  const checkpoints = new RunCheckpoints({
    run,
    directory,
    dataset,
    layout: describeRunModel(spec),
    term: 0,
    fence: readersFence(directory),
    log,
    clock: systemClock,
  });
  return { dataset, checkpoints };
}
