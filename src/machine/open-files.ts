import { MachineError } from './error.js';
import { softLimit } from './system-text.js';

/**
 * Files that a process needs to load itself: Node's own twenty, and a hundred source files that are read in parallel.
 */
export const startingFiles = 256;

/** Those that a process needs for each worker process that it starts: pipes and shared memory. */
export const filesPerLocalWorker = 8;

/**
 * Checks in advance whether this process may open enough files and connections.
 * @param needed at the same time
 * @param who needs them, for the message
 * @throws MachineError MACHINE_OPEN_FILES
 */
export function requireOpenFiles(needed: number, who: string, limit: number = openFileLimit()): void {
  if (limit >= needed) return;
  throw new MachineError(
    'MACHINE_OPEN_FILES',
    `${who} needs ${needed} open files at the same time, but this process may open ${limit}; \`ulimit -n ${roundUp(needed)}\` allows more`,
  );
}

/**
 * How many files this process may have open at the same time; infinity when the system does not say. Node has already
 * raised the soft limit as far as possible.
 */
function openFileLimit(): number {
  return softLimit('Max open files');
}

function roundUp(needed: number): number {
  return Math.max(1024, 2 ** Math.ceil(Math.log2(needed)));
}
