// npm packages that only tests use, in the machine's cache: those of a lock file in a folder of this one. package.json and
// node_modules do not have them, so that nobody else installs them.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { root, run, stopwatch } from './lib.mjs';

const files = ['package.json', 'package-lock.json'];
const sourceOf = (name) => join(root, 'scripts', name);

/**
 * @param {string} name of the folder in `scripts/`
 * @returns {string} a folder of this machine, named after what it holds; it may not exist yet
 */
export function cachedPackages(name) {
  const digest = createHash('sha256')
    .update(readFileSync(join(sourceOf(name), 'package-lock.json')))
    .digest('hex');
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `${name}-${digest.slice(0, 16)}`);
}

/**
 * Installs the packages if they are not there, without running their scripts.
 * @param {string} name of the folder in `scripts/`
 * @param {string} failure the sentence for packages that npm cannot install
 * @returns {number | null} the seconds that it took; null if they were there
 * @throws SetupError
 */
export function installCachedPackages(name, failure) {
  const folder = cachedPackages(name);
  if (existsSync(folder)) return null;
  const watch = stopwatch();
  const partial = `${folder}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  try {
    for (const file of files) copyFileSync(join(sourceOf(name), file), join(partial, file));
    run('npm', ['ci', '--prefix', partial, '--ignore-scripts', '--no-audit', '--no-fund'], { failure });
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return watch.seconds;
}
