// Loaded before the program in a measured coordinator. On SIGUSR2 it writes the longest pauses of the event loop since the
// last SIGUSR2 to the file BENCH_PAUSES, as JSON in milliseconds: the `longest` by the clock, and the longest `own` one,
// without the time for which the loop's thread was ready and waited for a processor that others used.
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const interval = 2;

if (isMainThread) {
  const file = process.env.BENCH_PAUSES;
  /** Linux: nanoseconds on a processor, nanoseconds ready without one, and how often. */
  const schedule = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(128);
  const now = () => {
    const length = readSync(schedule, buffer, 0, buffer.length, 0);
    const waited = Number(buffer.toString('latin1', 0, length).split(' ')[1]) / 1e6;
    return { clock: performance.now(), waited };
  };
  let last = now();
  let pauses = { longest: 0, own: 0 };
  setInterval(() => {
    const time = now();
    // The timer's own interval is in every one of them.
    const pause = Math.max(0, time.clock - last.clock - interval);
    const own = Math.max(0, pause - (time.waited - last.waited));
    last = time;
    pauses = { longest: Math.max(pauses.longest, pause), own: Math.max(pauses.own, own) };
  }, interval).unref();
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, JSON.stringify(pauses));
    renameSync(`${file}.new`, file);
    pauses = { longest: 0, own: 0 };
  });
}
