import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeVersions, runWithNode } from '../kit/node-versions.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { temporaryDirectory } from '../run/support.js';

const majorOf = (version: string) => Number(/^(\d+)/.exec(version)![1]);
/** The one that runs these tests shows what it can by running all of them. */
const others = nodeVersions.filter(({ version }) => version !== process.versions.node);

test('the oldest Node that package.json names is tried, and one of each even number since', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(nodeVersions[0]!.version).toBe(/^\^(\S+)/.exec(engines.node)![1]);
  expect(nodeVersions.map(({ version }) => majorOf(version))).toEqual([20, 22, 24, 26]);
});

describe('other versions of Node', () => {
  let run: SmallRun;
  let expected: { weightsSha256: string; codesSha256: string };

  async function train(program: string, name: string) {
    const args = ['train', run.runFile, '--workers', '2', '--set', `metadata.name=${name}`] as const;
    const { exitCode, stderr } = await runWithNode(program, ['dist/cli.js', ...args], run.folder);
    // A new Node's deprecation warnings would be there too.
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { weightsSha256, codesSha256 } = await run.result(name);
    return { weightsSha256, codesSha256 };
  }

  beforeAll(async () => {
    run = await smallRun();
    if (others.some(({ missing }) => missing === '')) expected = await train(process.execPath, 'here');
  });
  afterAll(() => run.remove());

  describe.each(others)('Node $label', ({ version, program, missing }) => {
    test.skipIf(missing !== '')('trains to the same bits, without a word on standard error', async () => {
      expect(await train(program, `node-${majorOf(version)}`)).toEqual(expected);
    });

    test.skipIf(missing !== '')('takes what another Node has built, and has the golden values', async () => {
      expect(await runWithNode(program, ['scripts/build-native.mjs'], '.')).toEqual({
        exitCode: 0,
        stdout: 'The native kernels are up to date.\n',
        stderr: '',
      });
      expect(await runWithNode(program, ['scripts/build.mjs'], '.')).toEqual({
        exitCode: 0,
        stdout: '',
        stderr: '',
      });
      const report = join(temporaryDirectory(), 'report.json');
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'golden', '--reporter=json'] as const;
      const { exitCode, stderr } = await runWithNode(program, [...vitest, `--outputFile=${report}`], '.');
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    });
  });
});
