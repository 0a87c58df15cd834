import { machineResources } from '../machine/resources.js';
import type { TrainingRun } from '../run/training-run.js';

/** How many workers `train` starts: as the run file says, or one per processor, as more than microbatches are no use. */
export function localWorkerCount(run: TrainingRun): number {
  const { workers } = run.spec.operation;
  return workers === 'auto'
    ? Math.min(machineResources().processors, run.spec.schedule.microbatches)
    : workers;
}
