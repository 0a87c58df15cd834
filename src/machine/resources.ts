import { availableParallelism, totalmem } from 'node:os';
import { cgroupLimits } from './cgroup.js';

/** The share of the machine that this process may use. */
export interface MachineResources {
  readonly processors: number;
  readonly memoryBytes: number;
}

/**
 * Processors and memory for this process: the processors that it may run on (affinity, cpusets), within the quotas of
 * its control groups. Processes of one control group share its quota.
 * @param root of the file system; for tests
 */
export function machineResources(root = '/'): MachineResources {
  const { processors, memoryBytes } = cgroupLimits(root);
  return {
    // Round down: when threads use up the quota, all of them stop until the next period.
    processors: Math.max(
      1,
      Math.floor(Math.min(availableParallelism(), processors ?? Number.POSITIVE_INFINITY)),
    ),
    // Version 1 reports a huge number when there is no limit.
    memoryBytes: Math.min(totalmem(), memoryBytes ?? Number.POSITIVE_INFINITY),
  };
}
