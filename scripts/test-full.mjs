// Runs the tests that take minutes. `--schedules N` sets how many schedules of faults, `--precision P` the precision of the
// wire in them, `--seeds N` how many simulations; the rest goes to vitest.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib.mjs';

const args = process.argv.slice(2);

/** Takes `--NAME VALUE` out of the arguments. */
function take(name, otherwise, allowed, expected) {
  const at = args.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : args.splice(at, 2)[1];
  if (allowed.test(value ?? '')) return value;
  console.error(`fcaenet: --${name} takes ${expected}.`);
  process.exit(64);
}

const takeNumber = (name, otherwise) => take(name, otherwise, /^[1-9]\d*$/, `a number of ${name}, 1 or more`);
const environment = {
  FCAENET_SCHEDULES: takeNumber('schedules', '50'),
  FCAENET_SEEDS: takeNumber('seeds', '20000'),
  FCAENET_PRECISION: take('precision', 'mixed', /^(float32|bfloat16|mixed)$/, 'float32, bfloat16 or mixed'),
};
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
