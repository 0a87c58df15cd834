// Installs the library of the engine `tensorflow` when only npm and PyPI can be reached. Unpacks libtensorflow from a
// pinned wheel into the machine's cache, builds tfjs-node's addon against it with g++, and copies the addon to where
// tfjs-node loads it. package.json and its lock file are not changed, and `npm ci` removes the addon again. `--gpu` uses
// the wheels with CUDA 12.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hasProgram, installOptional, root, run, runScript, SetupError, stopwatch } from './lib.mjs';

const tfjsVersion = '4.22.0';
/** N-API's version that tfjs-node asks for when it looks for its addon. */
const napiVersion = 8;
/** The wheels contain the same libraries for every Python. One version is named so that the checksums match. */
const wheelTags = [
  '--python-version',
  '3.11',
  '--implementation',
  'cp',
  // TensorFlow's wheel names the first, NVIDIA's one of the others.
  ...['manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux1_x86_64'].flatMap(
    (tag) => ['--platform', tag],
  ),
];
/** TensorFlow searches the CUDA wheels' folders beside its own, so the layout of pip must be kept. */
const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/**
 * Makes the engine `tensorflow` runnable.
 * @param {{ gpu: boolean, log: (line: string) => void }} options
 */
export function installTensorflow({ gpu, log }) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `TensorFlow's wheels are taken on linux x64 only, and this is ${process.platform} ${process.arch}.`,
      69,
    );
  }
  for (const [program, name] of [
    ['g++', 'g++'],
    ['python3', 'python3-pip'],
  ]) {
    if (!hasProgram(program)) {
      throw new SetupError(
        `the engine tensorflow needs ${program} to be set up: run \`apt-get install ${name}\`.`,
        69,
      );
    }
  }
  const requirements = join(root, 'scripts', gpu ? 'tensorflow-gpu.txt' : 'tensorflow-cpu.txt');
  const cached = cacheOf(requirements);
  downloadWheels({ requirements, cached, size: gpu ? 'some gigabytes' : 'some hundred MB', log });
  const module = installTfjsNode({ gpu, log });
  buildAddon({ module, cached, log });
}

/** A folder of this machine, named after its content. */
function cacheOf(requirements) {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'fcaenet', `tensorflow-${digest}`);
}

/** pip checks every wheel against the SHA-256 in the list before it unpacks it. */
function downloadWheels({ requirements, cached, size, log }) {
  if (existsSync(cached)) return;
  const watch = stopwatch();
  log(`taking libtensorflow from its wheel, ${size}`);
  const partial = `${cached}.${process.pid}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    run(
      'python3',
      [
        ...[
          '-m',
          'pip',
          'install',
          '--quiet',
          '--target',
          partial,
          '--no-deps',
          '--no-compile',
          '--no-cache-dir',
        ],
        ...['--only-binary=:all:', '--require-hashes', ...wheelTags, '--requirement', requirements],
      ],
      {
        failure:
          'the wheels of TensorFlow cannot be installed with pip (`apt-get install python3-pip`); see above.',
      },
    );
    // The Python part of the wheel, most of its files, is not needed.
    for (const name of readdirSync(partial)) {
      if (!['tensorflow', 'nvidia'].includes(name)) rmSync(join(partial, name), { recursive: true });
    }
    for (const name of readdirSync(join(partial, 'tensorflow'))) {
      if (name !== 'include' && !libraries.includes(name)) {
        rmSync(join(partial, 'tensorflow', name), { recursive: true });
      }
    }
    renameSync(partial, cached);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  log(`took libtensorflow in ${watch.seconds} s, kept in ${cached}`);
}

/** @returns the folder of tfjs-node, which is installed without its own install script's download */
function installTfjsNode({ gpu, log }) {
  const name = `@tensorflow/tfjs-node${gpu ? '-gpu' : ''}`;
  if (installOptional({ [name]: tfjsVersion })) {
    log(`installed ${name} ${tfjsVersion}`);
  }
  return join(root, 'node_modules', name);
}

/** tfjs-node's addon with one function more, and in the place where it looks for that one which loads it without a word. */
function buildAddon({ module, cached, log }) {
  const { include_dir: nodeHeaders } = createRequire(import.meta.url)('node-api-headers');
  const folder = join(cached, 'tensorflow');
  const addon = compiled({
    name: 'tfjs_binding',
    cached,
    sources: [
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(module, 'binding', name)),
      join(root, 'scripts', 'tensorflow-read-into.cc'),
    ],
    options: [
      ...[`-I${nodeHeaders}`, `-I${join(folder, 'include')}`, `-I${module}`],
      ...libraries.map((name) => join(folder, name)),
      `-Wl,-rpath,${folder}`,
    ],
    log,
  });
  const loader = compiled({
    name: 'quiet_load',
    cached,
    sources: [join(root, 'scripts', 'tensorflow-quiet-load.cc')],
    options: [`-I${nodeHeaders}`, `-DTFJS_ADDON="${addon}"`],
    log,
  });
  const place = join(module, 'lib', `napi-v${napiVersion}`);
  mkdirSync(place, { recursive: true });
  copyFileSync(loader, join(place, 'tfjs_binding.node'));
}

/** Compiles an addon where the cache has none of these sources and options. */
function compiled({ name, cached, sources, options, log }) {
  const digest = createHash('sha256').update(options.join(' '));
  for (const source of sources) digest.update(readFileSync(source));
  const built = join(cached, `${name}-${digest.digest('hex').slice(0, 16)}.node`);
  if (existsSync(built)) return built;
  const watch = stopwatch();
  const partial = `${built}.${process.pid}.partial`;
  const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', '-w', `-DNAPI_VERSION=${napiVersion}`];
  run('g++', [...flags, ...sources, ...options, '-o', partial], {
    failure: "tfjs-node's addon does not compile; see above.",
  });
  renameSync(partial, built);
  log(`compiled ${name} in ${watch.seconds} s`);
  return built;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await runScript(() => {
    installTensorflow({ gpu: process.argv.includes('--gpu'), log: (line) => console.log(`setup: ${line}`) });
    console.log('setup: engine tensorflow is ready; npx fcaenet doctor measures it');
  });
}
