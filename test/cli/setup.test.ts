import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../run/support.js';

/** Runs a set-up script in a copy of the project without packages, with only these programs to be found. */
function setUp(
  script: string,
  programs: { [name: string]: string },
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
) {
  const root = temporaryDirectory();
  cpSync('scripts', join(root, 'scripts'), { recursive: true });
  cpSync('package.json', join(root, 'package.json'));
  const bin = join(root, 'bin');
  mkdirSync(bin);
  for (const [name, source] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${source}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeOptions, join(root, 'scripts', script), ...args],
    {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: bin, HOME: root },
    },
  );
  return { status, stdout, stderr, root };
}

/** No test may find the machine's own compiler and headers where they are looked for by path. */
const hasHeaders = existsSync('/usr/include/oneapi/dnnl/dnnl.hpp');
const missing = hasHeaders ? 'g\\+\\+' : 'g\\+\\+ libdnnl-dev';
const isRoot = process.getuid?.() === 0;

test.each(['setup.mjs', 'start.mjs'])(
  '%s without compiler, apt and other engine says what to install',
  (script) => {
    const { status, stderr } = setUp(script, {});
    expect(stderr).toMatch(
      /^fcaenet: no engine can run here: install your system’s packages of g\+\+[^\n]*, or npm install --no-save --save-prod @tensorflow\/tfjs-node, then try again\.\n$/,
    );
    expect(status).toBe(69);
  },
);

describe('the Node that runs it', () => {
  const range = '^20.19.0 || >=22.12.0';
  test('is of the range in package.json', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
    expect([engines.node, lock.packages[''].engines.node]).toEqual([range, range]);
  });

  test.each([
    ['18.20.8', false],
    ['20.18.3', false],
    ['20.19.0', true],
    ['21.7.3', false],
    ['22.11.0', false],
    ['22.12.0', true],
    ['23.0.0', true],
    ['26.0.0', true],
  ])('%s: is accepted: %s', (version, isAccepted) => {
    const pretend = `for (const [name, value] of [['version', 'v${version}'], ['versions', { node: '${version}' }]]) Object.defineProperty(process, name, { value });`;
    const { status, stderr } = setUp('setup.mjs', {}, [], [`--import=data:text/javascript,${pretend}`]);
    const refusal = `fcaenet: Node is v${version}, but must be 20.19 or newer, or 22.12 or newer.\n`;
    expect(status).toBe(69);
    if (isAccepted) expect(stderr).toMatch(/^fcaenet: no engine can run here/);
    else expect(stderr).toBe(refusal);
  });
});

test.skipIf(!isRoot)(
  'with an apt that cannot reach its server it says so and what to install (only as root)',
  () => {
    const apt = 'if [ "$1" = install ]; then echo "E: Unable to locate package g++" >&2; fi; exit 100';
    const { status, stderr } = setUp('setup.mjs', { 'apt-get': apt });
    expect(stderr).toMatch(
      new RegExp(
        `^fcaenet: no engine can run here: install what it needs by sudo apt-get install -y --no-install-recommends ${missing} \\(apt-get could not: Unable to locate package g\\+\\+\\), or npm install [^\\n]*, then try again\\.\\n$`,
      ),
    );
    expect(status).toBe(69);
  },
);

test.skipIf(!isRoot)('lists of packages that cannot be renewed are no obstacle (only as root)', () => {
  const { stdout } = setUp('setup.mjs', { 'apt-get': '[ "$1" = install ]', npm: 'exit 1' });
  expect(stdout).toMatch(/^setup: installed g\+\+.* with apt-get in /m);
});

test('TensorFlow without a compiler or Python says what to install', () => {
  expect(setUp('tensorflow-from-wheel.mjs', {})).toMatchObject({
    status: 69,
    stderr: 'fcaenet: the engine tensorflow needs g++ to be set up: run `apt-get install g++`.\n',
  });
  expect(setUp('tensorflow-from-wheel.mjs', { 'g++': '' })).toMatchObject({
    status: 69,
    stderr: 'fcaenet: the engine tensorflow needs python3 to be set up: run `apt-get install python3-pip`.\n',
  });
});

test.each([
  ['', 'tensorflow-cpu.txt'],
  ['--gpu', 'tensorflow-gpu.txt'],
])(
  'TensorFlow %s is of wheels with one SHA-256 each, by whichever tag of the platform they have',
  (flag, list) => {
    const { stderr, root } = setUp(
      'tensorflow-from-wheel.mjs',
      { 'g++': '', python3: 'echo "$@" >&2; exit 1' },
      [flag],
    );
    const [asked] = stderr.split('\n');
    for (const tag of [
      'manylinux_2_27_x86_64',
      'manylinux_2_17_x86_64',
      'manylinux2014_x86_64',
      'manylinux1_x86_64',
    ]) {
      expect(asked).toContain(` --platform ${tag} `);
    }
    expect(asked).toContain(' --require-hashes ');
    expect(asked).toContain(` --requirement ${join(root, 'scripts', list)}`);
    const wheels = readFileSync(`scripts/${list}`, 'utf8').trimEnd().split('\n');
    expect(wheels).toHaveLength(flag === '' ? 1 : 13);
    for (const wheel of wheels) expect(wheel).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  },
);

test('TensorFlow whose wheel cannot be had leaves nothing behind', () => {
  const { status, stderr, root } = setUp('tensorflow-from-wheel.mjs', {
    'g++': '',
    python3: 'echo "No module named pip" >&2; exit 1',
  });
  expect(stderr).toMatch(/\nfcaenet: the wheels of TensorFlow cannot be installed with pip [^\n]*\n$/);
  expect(status).toBe(1);
  expect(spawnSync('ls', ['-A', join(root, '.cache/fcaenet')], { encoding: 'utf8' }).stdout).toBe('');
});
