// Runs the tests that take minutes. `--schedules N` sets how many schedules of faults, `--seeds N` how many
// simulations; the rest goes to vitest.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib.mjs';

const args = process.argv.slice(2);

/** Takes `--NAME N` out of the arguments. */
function take(name, otherwise) {
  const at = args.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : args.splice(at, 2)[1];
  if (/^[1-9]\d*$/.test(value ?? '')) return value;
  console.error(`fcaenet: --${name} takes a number of ${name}, 1 or more.`);
  process.exit(64);
}

const environment = { FCAENET_SCHEDULES: take('schedules', '50'), FCAENET_SEEDS: take('seeds', '20000') };
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.full.config.ts', ...args],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  },
);
process.exit(status ?? 1);
