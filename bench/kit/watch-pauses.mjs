// Loaded before the program in a measured coordinator. One SIGUSR2 begins to watch the event loop, the next one ends it and
// writes its longest pauses to the file BENCH_PAUSES, as JSON in milliseconds: the `longest` by the clock, and the longest
// `own` one, without the time for which the loop's thread was ready and waited for a processor that others used. Watching
// takes a processor for some milliseconds each second, so it is off while processor time is measured.
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
  let watching = null;
  const watch = () => {
    let last = now();
    const pauses = { longest: 0, own: 0 };
    const timer = setInterval(() => {
      const time = now();
      // The timer's own interval is in every one of them.
      const pause = Math.max(0, time.clock - last.clock - interval);
      const own = Math.max(0, pause - (time.waited - last.waited));
      last = time;
      pauses.longest = Math.max(pauses.longest, pause);
      pauses.own = Math.max(pauses.own, own);
    }, interval).unref();
    return { timer, pauses };
  };
  process.on('SIGUSR2', () => {
    if (watching) {
      clearInterval(watching.timer);
      writeFileSync(`${file}.new`, JSON.stringify(watching.pauses));
      renameSync(`${file}.new`, file);
    }
    watching = watching ? null : watch();
  });
}
