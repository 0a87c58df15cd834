// Brings each Node that the project runs on into the machine's cache, for the tests of all of them: the npm packages of
// node-versions/package-lock.json, which are the binaries that the npm package `node` installs on Linux x64. With
// `--list` it says, as JSON, which versions there are and where each is or would be, and installs nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedPackages, installCachedPackages } from './cached-packages.mjs';
import { root, runScript, SetupError } from './lib.mjs';

const packages = 'node-versions';

/** @returns {{ version: string, program: string }[]} oldest first */
function nodeVersions() {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'scripts', packages, 'package.json'), 'utf8'));
  return Object.entries(dependencies).map(([name, specifier]) => ({
    version: specifier.split('@')[1],
    program: join(cachedPackages(packages), 'node_modules', name, 'bin/node'),
  }));
}

function installNodeVersions() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `The Nodes of all versions are taken on linux x64 only, and this is ${process.platform} ${process.arch}.`,
      69,
    );
  }
  const seconds = installCachedPackages(
    packages,
    'The Nodes of all versions cannot be installed; see above.',
  );
  if (seconds === null) return;
  const versions = nodeVersions().map(({ version }) => version);
  console.log(`setup: installed Node ${versions.join(', ')} in ${seconds} s`);
}

if (process.argv.includes('--list')) {
  console.log(JSON.stringify(nodeVersions()));
} else {
  await runScript(installNodeVersions);
}
