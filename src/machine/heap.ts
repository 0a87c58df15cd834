import { getHeapStatistics } from 'node:v8';
import { machineResources } from './resources.js';

/** How far V8's own limit may lie above half of the memory: it adds room for what is young. */
const tolerance = 1.25;

/**
 * What Node must be started with for its heap to fit the memory of its control groups. Node itself sees the limit of
 * its own group, but not those of the groups above it, and would let the heap grow until the kernel kills the process.
 *
 * @returns nothing where the heap fits, or where its limit was chosen
 */
export function heapArguments(
  memoryBytes: number = machineResources().memoryBytes,
  heapLimitBytes: number = getHeapStatistics().heap_size_limit,
  chosen: string = [...process.execArgv, process.env.NODE_OPTIONS].join(' '),
): string[] {
  if (/max[-_]old[-_]space[-_]size/.test(chosen) || heapLimitBytes <= (memoryBytes / 2) * tolerance)
    return [];
  return [`--max-old-space-size=${Math.max(64, Math.floor(memoryBytes / 2 / 2 ** 20))}`];
}

/**
 * Starts the program anew in this process, with a heap that fits, where it does not. Not where Node cannot (before
 * 22.15), nor in a process that was forked, whose parent has seen to it.
 * @param program the file that Node was started with
 */
export function fitHeap(program: string): void {
  const { execve } = process as { execve?(file: string, args: readonly string[]): void };
  const fitting = execve && !process.send ? heapArguments() : [];
  if (fitting.length === 0) return;
  execve!.call(process, process.execPath, [
    process.execPath,
    ...process.execArgv,
    ...fitting,
    program,
    ...process.argv.slice(2),
  ]);
}
