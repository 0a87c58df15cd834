import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtAddonPath } from '../../src/engine/onednn/addon.js';

const root = resolve(import.meta.dirname, '../..');
let compiled: string;

/** Prints one digest per gradient step of the small network, as Node runs the compiled project. */
const program = `
import { createHash } from 'node:crypto';
import { loadEngine } from './src/engine/loader.js';
import { smallNetwork } from './test/engine/small-network.js';
await loadEngine('onednn', { threads: 1, addonPath: ${JSON.stringify(builtAddonPath)} });
const network = smallNetwork();
// The second visit of a batch finds warm buffers of other content, and the third another batch size before it.
for (const [key, batch] of [[1, 4], [2, 4], [1, 4], [3, 7], [1, 4]]) {
  const { loss, gradients } = network.step(key, batch);
  const digest = createHash('sha256');
  for (const tensor of [loss, ...gradients]) digest.update(tensor.dataSync());
  for (const tensor of [loss, ...gradients]) tensor.dispose();
  console.log(digest.digest('hex'));
}
`;

function run(environment: NodeJS.ProcessEnv = {}): string[] {
  const output = execFileSync(process.execPath, [join(compiled, 'digests.js')], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return output.trim().split('\n');
}

beforeAll(() => {
  mkdirSync(join(root, '.cache'), { recursive: true });
  compiled = mkdtempSync(join(root, '.cache', 'engine-'));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const files = ['src/engine/loader.ts', 'test/engine/small-network.ts'];
  const options =
    '--module nodenext --target es2022 --types node --skipLibCheck --rootDir . --ignoreConfig --outDir';
  execFileSync(process.execPath, [compiler, ...files, ...options.split(' '), compiled], {
    cwd: root,
    stdio: 'pipe',
  });
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
  writeFileSync(join(compiled, 'digests.js'), program);
});

afterAll(() => {
  rmSync(compiled, { recursive: true, force: true });
});

test('the same batch gives the same bits again, in this process and in another', () => {
  const first = run();
  expect(first).toHaveLength(5);
  expect(first[2]).toBe(first[0]);
  expect(first[4]).toBe(first[0]);
  expect(first[1]).not.toBe(first[0]);
  expect(run({ OMP_NUM_THREADS: '2' })).toEqual(first);
});
