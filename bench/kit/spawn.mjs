// Processes of a benchmark, none of which outlives it.
import { spawn } from 'node:child_process';

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// Again and again: with no listener left, a second signal would end the process in the middle of its clearing up.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** `spawn` of a child that is killed when this process ends. */
export function spawnBound(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
