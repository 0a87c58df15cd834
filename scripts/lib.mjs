// Helpers of the set-up scripts. Only Node's own modules: these run before any package is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure that the user can fix: one sentence, no stack trace. */
export class SetupError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a set-up script's body. When it fails, prints one sentence and ends the process. */
export async function runScript(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof SetupError)) {
      throw error;
    }
    console.error(`fcaenet: ${error.message}`);
    process.exit(error.exitCode);
  }
}

/**
 * Runs `body` while no other script builds in this tree: a second one waits, and then finds what the first has built. The
 * lock is the name of a socket, which the kernel frees when the process ends in any way.
 */
export async function alone(body) {
  const name = `\0fcaenet-build-${createHash('sha256').update(root).digest('hex')}`;
  let server = await listen(name);
  if (server === null) console.error('fcaenet: waiting for another process that builds in this folder.');
  while (server === null) {
    await sleep(100);
    server = await listen(name);
  }
  try {
    return await body();
  } finally {
    server.close();
  }
}

/** @returns null while another process has the name */
function listen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', ({ code }) => {
      if (code === 'EADDRINUSE') resolve(null);
      else reject(new SetupError(`the socket that locks ${root} cannot be made (${code}).`, 69));
    });
    server.listen(name, () => resolve(server));
  });
}

/** Runs a program and returns its output. The output is only shown when the program fails. */
export function run(program, args, { environment = {}, failure } = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) {
    const reason = result.error?.message ?? result.signal ?? `exit code ${result.status}`;
    console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd());
    throw new SetupError(failure ?? `${program} ${args.join(' ')} failed (${reason}).`);
  }
  return result.stdout;
}

/** Whether a program of this name can be started. */
export function hasProgram(name) {
  return (process.env.PATH ?? '')
    .split(':')
    .some((folder) => folder !== '' && existsSync(join(folder, name)));
}

/** SHA-256 over names and contents of files and folders (paths from the root); absent ones count as absent. */
export function digest(paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    const full = join(root, path);
    if (!existsSync(full)) {
      hash.update(`absent ${path}\n`);
      return;
    }
    try {
      const content = readFileSync(full);
      hash.update(`${path} ${content.length}\n`).update(content);
    } catch (error) {
      if (error.code !== 'EISDIR') {
        throw error;
      }
      for (const name of readdirSync(full).sort()) {
        add(join(path, name));
      }
    }
  };
  paths.forEach(add);
  return hash.digest('hex');
}

/** A file that records the inputs of a build. */
export function stamp(path) {
  const file = join(root, path);
  return {
    matches: (value) => existsSync(file) && readFileSync(file, 'utf8') === value,
    write: (value) => {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, value);
    },
  };
}

/** `{ seconds }` since the call, with one decimal. */
export function stopwatch() {
  const start = performance.now();
  return {
    get seconds() {
      return ((performance.now() - start) / 1000).toFixed(1);
    },
  };
}

/** Packages of optional engines. They are not dependencies and only present when the user installed them. */
const optionalPackages = [
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-node-gpu',
  '@tensorflow/tfjs-backend-webgpu',
  'webgpu',
];

/** Version of an installed package, or undefined. */
export function installedVersion(name) {
  const manifest = join(root, 'node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}

/** Installs packages in one exact version each, without running their scripts or changing package.json. */
export function installOptional(wanted) {
  const missing = Object.entries(wanted).filter(([name, version]) => installedVersion(name) !== version);
  if (missing.length === 0) {
    return false;
  }
  // npm would remove packages that were installed in this way before.
  const others = optionalPackages
    .filter((name) => !(name in wanted) && installedVersion(name) !== undefined)
    .map((name) => `${name}@${installedVersion(name)}`);
  const names = Object.entries(wanted).map(([name, version]) => `${name}@${version}`);
  // Without --save-prod npm silently skips packages that package.json names as optional peers.
  const options = ['--no-save', '--save-prod', '--ignore-scripts', '--no-audit', '--no-fund'];
  const what = names.join(' and ');
  run('npm', ['install', ...options, ...names, ...others], {
    failure: `${what} cannot be installed; see above.`,
  });
  if (missing.some(([name, version]) => installedVersion(name) !== version)) {
    throw new SetupError(`npm did not install ${what} and gave no reason.`, 69);
  }
  return true;
}
