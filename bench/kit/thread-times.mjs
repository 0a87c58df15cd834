// Processor time of this process by kind of thread: Node's main thread, Node's helpers (V8's garbage collection and
// compilation, libuv's pool), and the threads of a library that is loaded later. Linux only.
import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';

const folder = '/proc/self/task';
/** libuv starts its pool with the first work for it, and has no more threads than this unless it is told so. */
const poolThreads = 4;

/** Milliseconds of the processor that this process has used since `since`, a result of `process.cpuUsage()`. */
export function processorMs(since) {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e3;
}

export class ThreadTimes {
  #helpers;

  constructor(helpers) {
    this.#helpers = helpers;
  }

  /** Call it before the library is loaded: every thread that exists now is Node's. */
  static async begin() {
    await Promise.all(Array.from({ length: 2 * poolThreads }, () => stat(folder)));
    return new ThreadTimes(new Set(readdirSync(folder).filter((id) => Number(id) !== process.pid)));
  }

  /** Milliseconds that Node's helpers have used, and those of the threads that started after `begin`. */
  read() {
    const times = { helpers: 0, library: 0 };
    for (const id of readdirSync(folder)) {
      if (Number(id) === process.pid) continue;
      // The first number is nanoseconds.
      const used = Number.parseInt(readFileSync(`${folder}/${id}/schedstat`, 'latin1'), 10) / 1e6;
      times[this.#helpers.has(id) ? 'helpers' : 'library'] += used;
    }
    return times;
  }
}
