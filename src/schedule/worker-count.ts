import { machineResources } from '../machine/resources.js';
import type { TrainingRun } from '../run/training-run.js';

/** How many workers `train` starts: the run file's number, or one per processor, but at most one per microbatch. */
export function localWorkerCount(run: TrainingRun): number {
  const { workers } = run.spec.operation;
  return workers === 'auto'
    ? Math.min(machineResources().processors, run.spec.schedule.microbatches)
    : workers;
}
