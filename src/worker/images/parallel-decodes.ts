import { nodeThreads } from '../../machine/node-threads.js';
import { machineResources } from '../../machine/resources.js';

/**
 * Images that a worker decodes at the same time. If a GPU computes, one for each processor that the worker may use, as far
 * as Node has threads. If the processors compute, enough to overlap reading and decoding, and few enough to leave the core
 * of training free.
 * @param hasGpu whether a GPU computes
 * @param processors that this process may use, by affinity and control groups
 */
export function parallelDecodes(
  hasGpu: boolean,
  processors: number = machineResources().processors,
  threads: number = nodeThreads(),
): number {
  return Math.max(2, hasGpu ? Math.min(processors, threads) : Math.min(4, processors >> 1));
}
