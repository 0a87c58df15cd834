// Brings each Node that the project runs on into the machine's cache, for the tests of all of them: the npm packages of
// node-versions/package-lock.json, which are the binaries that the npm package `node` installs on Linux x64. With
// `--list` it says, as JSON, which versions there are and where each is or would be, and installs nothing.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { root, run, runScript, SetupError, stopwatch } from './lib.mjs';

const packages = join(root, 'scripts/node-versions');
const files = ['package.json', 'package-lock.json'];

/** @returns {{ version: string, program: string }[]} oldest first */
function nodeVersions() {
  const { dependencies } = JSON.parse(readFileSync(join(packages, 'package.json'), 'utf8'));
  return Object.entries(dependencies).map(([name, specifier]) => ({
    version: specifier.split('@')[1],
    program: join(cache(), 'node_modules', name, 'bin/node'),
  }));
}

/** A folder of this machine, named after what it holds. */
function cache() {
  const digest = createHash('sha256')
    .update(readFileSync(join(packages, 'package-lock.json')))
    .digest('hex');
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `node-versions-${digest.slice(0, 16)}`);
}

function installNodeVersions() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `The Nodes of all versions are taken on linux x64 only, and this is ${process.platform} ${process.arch}.`,
      69,
    );
  }
  if (existsSync(cache())) {
    return;
  }
  const watch = stopwatch();
  const partial = `${cache()}.${process.pid}.partial`;
  mkdirSync(partial, { recursive: true });
  try {
    files.forEach((name) => {
      copyFileSync(join(packages, name), join(partial, name));
    });
    run('npm', ['ci', '--prefix', partial, '--no-audit', '--no-fund'], {
      failure: 'The Nodes of all versions cannot be installed; see above.',
    });
    mkdirSync(dirname(cache()), { recursive: true });
    renameSync(partial, cache());
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  const versions = nodeVersions().map(({ version }) => version);
  console.log(`setup: installed Node ${versions.join(', ')} in ${watch.seconds} s`);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify(nodeVersions()));
} else {
  await runScript(installNodeVersions);
}
