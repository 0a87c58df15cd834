import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const script = resolve(import.meta.dirname, '../../scripts/build-native.mjs');
const directory = mkdtempSync(join(tmpdir(), 'fcaenet-build-'));

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Runs the script with only these programs to be found. */
function buildWith(programs: { [name: string]: string }): { status: number | null; message: string } {
  const path = mkdtempSync(join(directory, 'bin-'));
  for (const [name, source] of Object.entries(programs)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${source}\n`);
    chmodSync(join(path, name), 0o755);
  }
  const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', env: { PATH: path } });
  return { status, message: stderr };
}

const remedy = 'run `apt-get install g++ libdnnl-dev`, then `npm run setup`.\n';

test('without a compiler it says what to install', () => {
  expect(buildWith({})).toEqual({
    status: 69,
    message: `The native kernels need a C++ compiler and g++ was not found: ${remedy}`,
  });
});

test('without the headers of oneDNN it says what to install', () => {
  expect(buildWith({ 'g++': '[ "$1" = --version ] && echo g++ 12' })).toEqual({
    status: 69,
    message: `The native kernels need oneDNN and its headers were not found: ${remedy}`,
  });
});

test('another major version of oneDNN is refused', () => {
  const compiler =
    'if [ "$1" = --version ]; then echo g++ 12; else while read -r line; do :; done; echo version 3 1 0; fi';
  expect(buildWith({ 'g++': compiler })).toEqual({
    status: 69,
    message: `The native kernels are written for oneDNN 2, but the headers are of version 3.1.0: ${remedy}`,
  });
});

test('the hash of the build covers every file of the project that the compiler includes', async () => {
  const { sources } = (await import(script)) as { sources: string[] };
  const native = resolve(import.meta.dirname, '../../native');
  const headers = resolve(import.meta.dirname, '../../node_modules/node-api-headers/include');
  const units = sources.filter((name) => name.endsWith('.cc')).map((name) => join(native, name));
  // A rule of make for each unit: all that it includes but the system's headers.
  const { stdout, status } = spawnSync(
    'g++',
    [
      '-std=c++17',
      '-mavx2',
      '-mfma',
      '-DFCAENET_VARIANT=avx2',
      '-DFCAENET_TABLE=kernelsAvx2',
      '-isystem',
      headers,
      '-MM',
      ...units,
    ],
    { encoding: 'utf8' },
  );
  expect(status).toBe(0);
  const included = [...stdout.matchAll(/[^\s\\:]+\.(?:cc|h)\b/g)].map(([path]) => resolve(path));
  expect(included).toEqual(expect.arrayContaining([join(native, 'lanes.h'), join(native, 'winograd.h')]));
  expect(included.filter((path) => dirname(path) !== native || !sources.includes(basename(path)))).toEqual(
    [],
  );
});
