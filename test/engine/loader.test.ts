import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, test } from 'vitest';
import { EngineError } from '../../src/engine/error.js';
import { loadEngine } from '../../src/engine/loader.js';

const directory = mkdtempSync(join(tmpdir(), 'fcaenet-engine-'));

afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function failure(promise: Promise<unknown>): Promise<EngineError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
}

// The failures come first: once an engine has started, this process has its kernels.
test('onednn without built kernels names the missing file and the command', async () => {
  const addonPath = join(directory, 'absent.node');
  const error = await failure(loadEngine('onednn', { threads: 1, addonPath }));
  expect(error.code).toBe('ENGINE_UNAVAILABLE');
  expect(error.message).toBe(
    `engine onednn cannot run because its native kernels are not built (${addonPath} is missing): ` +
      'run `apt-get install libdnnl-dev g++ && npm run setup`',
  );
});

test('onednn with a damaged addon says so', async () => {
  const addonPath = join(directory, 'damaged.node');
  writeFileSync(addonPath, 'not a library');
  const error = await failure(loadEngine('onednn', { threads: 1, addonPath }));
  expect(error.message).toMatch(
    /^engine onednn cannot run because its native kernels cannot be loaded \(.*\): run `/,
  );
  expect(error.message).not.toContain('\n');
});

test('onednn on a processor without AVX2 says so, and names another engine', async () => {
  const addonPath = join(directory, 'old-processor.cjs');
  const refusal = 'the processor lacks the AVX2 and FMA instructions';
  writeFileSync(addonPath, `exports.start = () => { throw new Error('${refusal}'); };`);
  writeFileSync(join(directory, 'build.json'), '{ "hash": "" }');
  const error = await failure(loadEngine('onednn', { threads: 1, addonPath }));
  expect(error.message).toBe(
    `engine onednn cannot run because its native kernels cannot run (${refusal}): ` +
      'run `npm run setup:tensorflow` to compute with TensorFlow instead',
  );
});

const hasTensorflow = ['tfjs-node', 'tfjs-node-gpu'].some((name) =>
  existsSync(`node_modules/@tensorflow/${name}`),
);

test.skipIf(hasTensorflow)(
  'auto without any engine names why each failed and what to install (only without tfjs-node)',
  async () => {
    const addonPath = join(directory, 'absent.node');
    const error = await failure(loadEngine('auto', { threads: 1, addonPath }));
    expect(error.code).toBe('ENGINE_UNAVAILABLE');
    expect(error.message).toContain('apt-get install libdnnl-dev g++');
    expect(error.message).toContain('npm run setup:tensorflow');
    expect(error.message).toContain('npm install --no-save --save-prod @tensorflow/tfjs-node');
    expect(error.message).not.toContain('\n');
  },
);

test.each([0, 1.5, Number.NaN])('%s threads are refused', async (threads) => {
  const error = await failure(loadEngine('onednn', { threads }));
  expect(error.code).toBe('ENGINE_THREADS');
  expect(error.message).toBe(`the number of threads is ${threads}, expected 1 to 1024`);
});

test('an unknown name is refused', async () => {
  const error = await failure(loadEngine('cpu' as 'auto', { threads: 1 }));
  expect(error.code).toBe('ENGINE_NAME');
  expect(error.message).toBe("there is no engine 'cpu': use auto, onednn, tensorflow, webgpu");
});

test('auto takes onednn and describes it', async () => {
  const { description, memory } = await loadEngine('auto', { threads: 1 });
  expect(tf.getBackend()).toBe('onednn');
  expect(description).toMatchObject({ name: 'onednn', threads: 1, deterministic: true });
  expect(description.version).toMatch(/^tfjs \d.*, oneDNN 2\./);
  expect(description.instructionSet).toMatch(/^avx/);
  expect(description.buildHash).toMatch(/^[0-9a-f]{64}$/);
  expect(memory().pooledBytes).toBe(0);
  expect((await loadEngine('onednn', { threads: 2 })).description.threads).toBe(2);
});
