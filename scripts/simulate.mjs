// Compiles the simulator into .cache/simulation, unless that is up to date, and runs it: `--seed N`, `--count N`,
// `--trace`. `--build` only compiles.
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone, digest, root, run, runScript, stamp } from './lib.mjs';

const folder = join(root, '.cache/simulation');

await runScript(() => alone(compile));
if (!process.argv.includes('--build')) {
  await import(pathToFileURL(join(folder, 'test/simulation/main.js')).href);
}

function compile() {
  const sources = stamp('.cache/simulation/.sources');
  const value = digest([
    'src',
    'test/simulation',
    'tsconfig.json',
    'package-lock.json',
    'scripts/simulate.mjs',
  ]);
  if (sources.matches(value)) return;
  rmSync(folder, { recursive: true, force: true });
  run(join(root, 'node_modules/.bin/tsc'), ['-p', 'test/simulation/tsconfig.json'], {
    failure: 'The simulator does not compile.',
  });
  // The compiled sources read these from beside src/, as the ones in src/ and dist/ do.
  for (const name of ['proto', 'package.json']) symlinkSync(join(root, name), join(folder, name));
  sources.write(value);
}
