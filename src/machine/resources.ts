import { availableParallelism, totalmem } from 'node:os';
import { cgroupLimits } from './cgroup.js';

/** What this process may use of its machine. */
export interface MachineResources {
  readonly processors: number;
  readonly memoryBytes: number;
}

/**
 * How many processors and how much memory there are for this process: those that it may run on (affinity, cpusets),
 * within the quotas of its control groups. Processes that share a control group share what it allows.
 * @param root of the file system; for tests
 */
export function machineResources(root = '/'): MachineResources {
  const { processors, memoryBytes } = cgroupLimits(root);
  return {
    // A part of a processor is none: when threads use up the quota, all of them stand still until the next period.
    processors: Math.max(
      1,
      Math.floor(Math.min(availableParallelism(), processors ?? Number.POSITIVE_INFINITY)),
    ),
    // Version 1 writes a huge number where there is no bound.
    memoryBytes: Math.min(totalmem(), memoryBytes ?? Number.POSITIVE_INFINITY),
  };
}
