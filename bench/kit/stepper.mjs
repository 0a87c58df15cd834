// A process that takes a number of steps per line and answers with the seconds they took, for interleaved comparisons.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { spawnBound } from './spawn.mjs';

/**
 * Starts `command`, which first says `ready`, then answers every number of steps with two numbers: seconds on the clock
 * and on the processor.
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} environment added to this process's
 */
export async function stepper(command, args, environment) {
  const child = spawnBound(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    if (done) {
      throw new Error(`${command} ${args.join(' ')} ended early.`);
    }
    return value;
  };
  const about = (await read()).replace(/^ready ?/, '');
  return {
    /** What the process said of itself. */
    about,
    /** Seconds that `steps` steps took: on the clock and on the processor. */
    async run(steps) {
      child.stdin.write(`${steps}\n`);
      const [clock, processor] = (await read()).split(' ').map(Number);
      return { clock, processor };
    },
    /** Most bytes that were resident so far. */
    peakBytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)[1]);
    },
    end: () => child.stdin.end(),
  };
}
