import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import { builtAddonPath } from '../../src/engine/onednn/addon.js';

const folder = mkdtempSync(join(tmpdir(), 'fcaenet-planted-'));
const addon = join(folder, 'overrun.node');

/** How the addon was built that the engine's tests load. */
const build = JSON.parse(readFileSync(join(builtAddonPath, '..', 'build.json'), 'utf8')) as {
  hash: string;
  flags: string[];
};

beforeAll(() => {
  const headers = (createRequire(import.meta.url)('node-api-headers') as { include_dir: string }).include_dir;
  // The flags of the kernels' own build, but for what only they need.
  const sanitizers = build.flags
    .at(-1)!
    .split(' ')
    .filter((flag) => /^-(fsanitize|fno-|g|O)/.test(flag));
  execFileSync(
    'g++',
    [
      ...sanitizers,
      '-shared',
      '-fPIC',
      `-I${headers}`,
      resolve(import.meta.dirname, 'overrun.cc'),
      '-o',
      addon,
    ],
    { env: { ...process.env, LD_PRELOAD: '' } },
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Calls a function of the addon on an array of `length` floats, in a process of its own. */
function call(name: string, length: number): { status: number | null; stderr: string } {
  const program = `require(${JSON.stringify(addon)}).${name}(new Float32Array(${length}))`;
  return spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
}

test('the engine computes with the addon that is built with sanitizers', async () => {
  const { description } = await loadEngine('onednn', { threads: 1 });
  expect(description.buildHash).toBe(build.hash);
  expect(build.flags.filter((flags) => !flags.includes('-fsanitize=address,undefined'))).toEqual([]);
});

test('a write behind the last value of an array ends the process with its place', () => {
  const { status, stderr } = call('overrun', 1000);
  expect(stderr).toMatch(/heap-buffer-overflow/);
  expect(stderr).toMatch(/WRITE of size 4[\s\S]*overrun\.cc:\d+/);
  expect(status).not.toBe(0);
});

test('an overflow of int ends the process with its place', () => {
  const { status, stderr } = call('overflow', 1000);
  expect(stderr).toMatch(/overrun\.cc:\d+:\d+: runtime error: signed integer overflow/);
  expect(status).not.toBe(0);
});
