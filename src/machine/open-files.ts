import { readFileSync } from 'node:fs';
import { MachineError } from './error.js';

/** What a process needs to load itself: Node’s own twenty, and a hundred source files that are read side by side. */
export const startingFiles = 256;

/**
 * Looks, before it is needed, whether this process may open enough files and connections.
 *
 * @param needed at a time
 * @param who needs them, for the sentence
 * @throws MachineError MACHINE_OPEN_FILES
 */
export function requireOpenFiles(needed: number, who: string, limit: number = openFileLimit()): void {
  if (limit >= needed) return;
  throw new MachineError(
    'MACHINE_OPEN_FILES',
    `${who} needs ${needed} open files at a time, but this process may open ${limit}; \`ulimit -n ${roundUp(needed)}\` allows more`,
  );
}

/** How many files this process may have open at a time; infinity where the system does not tell. */
function openFileLimit(): number {
  try {
    // Node has raised the soft limit as far as it may.
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function roundUp(needed: number): number {
  return Math.max(1024, 2 ** Math.ceil(Math.log2(needed)));
}
