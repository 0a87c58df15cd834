// Compiles native/ into native/build/fcaenet.node with g++, unless the stamp in native/build/build.json says that the
// same sources were already built with the same flags, compiler and oneDNN.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const native = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'native');
/** Where the addon goes that tests run under sanitizers. */
const sanitizedOutput = resolve(native, '..', '.cache', 'native-sanitized');
const install = 'run `apt-get install g++ libdnnl-dev`, then `npm run setup`';

// No contraction: fused multiply-adds are written out in the sources, so results do not depend on the optimiser.
// GCC 12 warns about its own AVX-512 header.
const common = [
  '-std=c++17',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-Wall',
  '-Wno-maybe-uninitialized',
];
const avx2 = ['-mavx2', '-mfma'];
const avx512 = [...avx2, '-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq'];
const variant = (name, table, flags) => ({
  source: 'kernels.cc',
  object: `kernels_${name}.o`,
  flags: ['-O3', '-fopenmp', ...flags, `-DFCAENET_VARIANT=${name}`, `-DFCAENET_TABLE=${table}`],
});
const units = [
  variant('avx512', 'kernelsAvx512', avx512),
  variant('avx2', 'kernelsAvx2', avx2),
  { source: 'addon.cc', object: 'addon.o', flags: ['-O2', '-fopenmp'] },
  { source: 'convolution.cc', object: 'convolution.o', flags: ['-O2'] },
];
const linkFlags = ['-shared', '-fopenmp', '-ldnnl'];
// The last -O counts: reports then name lines as they are written.
const sanitizers = [
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=undefined',
  '-fno-omit-frame-pointer',
  '-g',
  '-O1',
];
/**
 * Every file that a compilation can include by its name in quotes, in the order of their names: a change to one of them
 * changes the hash, whether it was listed anywhere or not.
 */
export const sources = readdirSync(native)
  .filter((name) => /\.(?:cc|h)$/.test(name))
  .sort();

/** First line of `g++ --version`; throws one sentence when there is no compiler. */
function compilerVersion() {
  try {
    return execFileSync('g++', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n')[0];
  } catch (cause) {
    throw new Error(`The native kernels need a C++ compiler and g++ was not found: ${install}.`, { cause });
  }
}

/** oneDNN's version from its headers; throws one sentence when they are missing or have an unsupported version. */
function onednnVersion() {
  const input =
    '#include <oneapi/dnnl/dnnl_version.h>\nversion DNNL_VERSION_MAJOR DNNL_VERSION_MINOR DNNL_VERSION_PATCH\n';
  let text;
  try {
    text = execFileSync('g++', ['-E', '-P', '-x', 'c++', '-'], {
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  } catch (cause) {
    throw new Error(`The native kernels need oneDNN and its headers were not found: ${install}.`, { cause });
  }
  const version = text.trim().split('\n').at(-1).split(' ').slice(1).join('.');
  if (!version.startsWith('2.')) {
    throw new Error(
      `The native kernels are written for oneDNN 2, but the headers are of version ${version}: ${install}.`,
    );
  }
  return version;
}

function headersOfNode() {
  return createRequire(import.meta.url)('node-api-headers').include_dir;
}

/**
 * Builds the addon when it is out of date.
 * @param {{ log?: (line: string) => void, sanitize?: boolean }} [options] `log` receives progress, one sentence per
 *   line; `sanitize` builds another addon beside it, with AddressSanitizer and UndefinedBehaviorSanitizer
 * @returns {Promise<{ built: boolean, addon: string, hash: string, onednn: string }>}
 * @throws Error with one sentence that says what to install or which file did not compile
 */
export async function buildNative({ log = () => {}, sanitize = false } = {}) {
  const output = sanitize ? sanitizedOutput : join(native, 'build');
  const addon = join(output, 'fcaenet.node');
  const stamp = join(output, 'build.json');
  const extra = sanitize ? sanitizers : [];
  const compiler = compilerVersion();
  const onednn = onednnVersion();
  const flags = [
    ...units.map(({ source, flags }) => [source, ...common, ...flags, ...extra].join(' ')),
    [...linkFlags, ...extra].join(' '),
  ];
  const digest = createHash('sha256');
  for (const source of sources) {
    digest
      .update(`${source}\0`)
      .update(readFileSync(join(native, source)))
      .update('\0');
  }
  const hash = digest.update(JSON.stringify([flags, compiler, onednn])).digest('hex');
  if (existsSync(addon) && existsSync(stamp) && JSON.parse(readFileSync(stamp, 'utf8')).hash === hash) {
    log('The native kernels are up to date.');
    return { built: false, addon, hash, onednn };
  }

  log(`Compiling the native kernels with ${compiler} over oneDNN ${onednn}.`);
  mkdirSync(output, { recursive: true });
  // A stamp must never describe another addon, even when this process is killed in between.
  rmSync(stamp, { force: true });
  const include = headersOfNode();
  // A folder of its own, so that two simultaneous builds do not link each other's objects.
  const scratch = mkdtempSync(join(output, 'objects-'));
  const compile = ({ source, object, flags }) =>
    run('g++', [
      ...common,
      ...flags,
      ...extra,
      `-I${include}`,
      '-c',
      join(native, source),
      '-o',
      join(scratch, object),
    ]);
  try {
    await Promise.all(units.map(compile));
    const linked = join(scratch, 'fcaenet.node');
    const objects = units.map(({ object }) => join(scratch, object));
    await run('g++', [...objects, ...linkFlags, ...extra, '-o', linked]);
    renameSync(linked, addon);
    const written = join(scratch, 'build.json');
    writeFileSync(written, `${JSON.stringify({ hash, compiler, flags, onednn }, null, 2)}\n`);
    renameSync(written, stamp);
  } catch (cause) {
    const detail = String(cause.stderr ?? cause.message)
      .split('\n')
      .find((line) => /error/.test(line));
    throw new Error(`The native kernels did not compile (${detail ?? 'no message from g++'}): ${install}.`, {
      cause,
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { built: true, addon, hash, onednn };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildNative({ log: (line) => console.log(line) });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 69;
  }
}
