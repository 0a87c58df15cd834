// Runs the tests that take minutes. `--schedules N` sets how many schedules of faults; the rest goes to vitest.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib.mjs';

const args = process.argv.slice(2);
const at = args.indexOf('--schedules');
const schedules = at < 0 ? '50' : args.splice(at, 2)[1];
if (!/^[1-9]\d*$/.test(schedules ?? '')) {
  console.error('fcaenet: --schedules takes a number of schedules, 1 or more.');
  process.exit(64);
}
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.full.config.ts', ...args],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, FCAENET_SCHEDULES: schedules },
  },
);
process.exit(status ?? 1);
