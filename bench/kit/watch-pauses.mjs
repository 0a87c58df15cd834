// Loaded before the program in a measured coordinator. On SIGUSR2 it writes the longest pause of the event loop since the
// last SIGUSR2, in milliseconds, to the file BENCH_PAUSES.
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const resolution = 2;

if (isMainThread) {
  const file = process.env.BENCH_PAUSES;
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  process.on('SIGUSR2', () => {
    // The timer's own interval is in every delay.
    writeFileSync(`${file}.new`, String(Math.max(0, delays.max / 1e6 - resolution)));
    renameSync(`${file}.new`, file);
    delays.reset();
  });
}
