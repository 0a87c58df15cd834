import { getHeapStatistics } from 'node:v8';
import { machineResources } from './resources.js';

/** V8's own limit may be this factor above half of the memory, because it adds space for young objects. */
const tolerance = 1.25;

/**
 * Node arguments that make its heap fit the memory of its control groups. Node reads the limit of its own group, but
 * not those of the groups above it. Its heap would grow until the kernel kills the process.
 * @returns nothing when the heap fits, or when the user has set its limit
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
 * Restarts the program in this process with a heap that fits, if it does not fit. Does nothing where Node does not
 * support it (before 22.15), and in a forked process, whose parent has done it.
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
