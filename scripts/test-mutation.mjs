// Tries the mutants of each folder on that folder's own tests, one folder after the other. Names of folders limit it to
// those; what begins with - goes to Stryker.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './lib.mjs';

const folders = ['reduction', 'ledger', 'hashing', 'checkpoint'];
const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('-'));
const chosen = words.filter((word) => !word.startsWith('-'));
const unknown = chosen.find((name) => !folders.includes(name));
if (unknown !== undefined) {
  console.error(`fcaenet: ${unknown} is not mutated, expected one of ${folders.join(', ')}.`);
  process.exit(64);
}

const stryker = join(root, 'node_modules/.bin/stryker');
const below = (chosen.length > 0 ? chosen : folders).filter((folder) => {
  const { status } = spawnSync(stryker, ['run', ...options], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, FCAENET_MUTATED: folder },
  });
  return status !== 0;
});
if (below.length > 0) {
  console.error(`fcaenet: the mutation score of ${below.join(', ')} is below the least, or there is none.`);
  process.exit(1);
}
