// Sets up a fresh clone: system packages, npm packages, native kernels, dist/. Every step checks first and does
// nothing when there is nothing to do. `--quiet` only prints what was done.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone, hasProgram, root, run, runScript, SetupError, stopwatch } from './lib.mjs';

/** By major version; of later ones any. As in package.json's `engines`, which is what the packages ask for. */
const oldestMinor = { 20: 19, 22: 12 };
const systemPackages = [
  { name: 'g++', reason: 'compiles the native kernels', present: () => hasProgram('g++') },
  {
    name: 'libdnnl-dev',
    reason: 'oneDNN, which the native kernels call',
    present: () =>
      ['dnnl.hpp', 'oneapi/dnnl/dnnl.hpp'].some((file) => existsSync(join('/usr/include', file))),
  },
];

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major <= 22 && !(minor >= oldestMinor[major])) {
    throw new SetupError(`Node is ${process.version}, but must be 20.19 or newer, or 22.12 or newer.`, 69);
  }
}

/** The engine that a user installs manually and that needs no system packages. */
function otherEngine() {
  return ['tfjs-node-gpu', 'tfjs-node'].find((name) =>
    existsSync(join(root, 'node_modules/@tensorflow', name, 'lib/napi-v8/tfjs_binding.node')),
  );
}

/** @returns whether the native kernels can be built */
function installSystemPackages({ did, found }) {
  const missing = systemPackages.filter((each) => !each.present());
  if (missing.length === 0) {
    found(`system packages: ${systemPackages.map(({ name }) => name).join(' and ')} are there`);
    return true;
  }
  const names = missing.map(({ name }) => name);
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  const canInstall = hasProgram('apt-get') && process.getuid?.() === 0;
  let obstacle = '';
  if (canInstall) {
    const watch = stopwatch();
    for (const { name, reason } of missing) {
      did(`installing ${name}: ${reason}`);
    }
    const failure = aptFailure(command.split(' ').slice(1));
    if (failure === undefined) {
      did(`installed ${names.join(' and ')} with apt-get in ${watch.seconds} s`);
      return true;
    }
    obstacle = ` (apt-get could not: ${failure})`;
  }
  const advice = hasProgram('apt-get')
    ? `sudo ${command}`
    : `your system’s packages of ${names.join(' and ')}`;
  const other = otherEngine();
  if (other === undefined) {
    throw new SetupError(
      `no engine can run here: install ${hasProgram('apt-get') ? 'what it needs by ' : ''}${advice}${obstacle}, ` +
        'or npm install --no-save --save-prod @tensorflow/tfjs-node, then try again.',
      69,
    );
  }
  did(`native kernels not built, ${other} will compute; for them install ${advice}${obstacle}`);
  return false;
}

/** Installs packages. @returns apt's error message, or undefined */
function aptFailure(args) {
  const options = { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  // Old package lists may be good enough. Only the installation decides.
  spawnSync('apt-get', ['update', '-qq'], options);
  const { status, error, stdout, stderr } = spawnSync('apt-get', args, options);
  if (status === 0) {
    return undefined;
  }
  const line = `${stderr ?? ''}\n${stdout ?? ''}`.split('\n').find((text) => text.startsWith('E: '));
  return (line?.slice('E: '.length) ?? error?.message ?? `exit code ${status}`).replace(/\.$/, '');
}

/** Whether every installed package of the lock file has the locked version in node_modules. */
function packagesMatchLock() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) {
    return false;
  }
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(locked).every(([path, { version, optional }]) => {
    const here = installed[path];
    return path === '' || (here === undefined ? optional === true : here.version === version);
  });
}

function installPackages({ did, found }) {
  if (packagesMatchLock()) {
    found('npm packages: as in package-lock.json');
    return;
  }
  const watch = stopwatch();
  did('installing the npm packages of package-lock.json, which can take minutes');
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    failure: 'The npm packages cannot be installed; see above.',
  });
  did(`installed the npm packages of package-lock.json in ${watch.seconds} s`);
}

async function buildKernels({ did, found }) {
  const { buildNative } = await import('./build-native.mjs');
  const watch = stopwatch();
  try {
    const { built, hash, onednn } = await buildNative();
    const text = `native kernels over oneDNN ${onednn}, build ${hash.slice(0, 12)}`;
    if (built) {
      did(`compiled the ${text} in ${watch.seconds} s`);
    }
    found(`engine: onednn, ${text}`);
  } catch (error) {
    const other = otherEngine();
    if (other === undefined) {
      throw new SetupError(error.message, 69);
    }
    did(`${error.message} Until then ${other} computes.`);
  }
}

/** @param quiet whether to omit steps that had nothing to do */
export async function setup({ quiet }) {
  const report = {
    did: (line) => console.log(`setup: ${line}`),
    found: (line) => {
      if (!quiet) {
        console.log(`setup: ${line}`);
      }
    },
  };
  checkNode();
  report.found(`Node ${process.versions.node}`);
  await alone(() => install(report));
}

async function install(report) {
  const native = installSystemPackages(report);
  installPackages(report);
  if (native) {
    await buildKernels(report);
  }
  const { build } = await import('./build.mjs');
  build({ log: report.did });
  report.found('dist/ is up to date; npx fcaenet --help shows what it can do');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runScript(() => setup({ quiet: process.argv.includes('--quiet') }));
}
