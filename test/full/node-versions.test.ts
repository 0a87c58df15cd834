import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeVersions, runWithNode } from '../kit/node-versions.js';
import { temporaryDirectory } from '../run/support.js';

const minutes = 60_000;
const digests = new Map<string, string>();

describe.each(nodeVersions)('Node $label', ({ version, program, missing }) => {
  test.skipIf(missing !== '')(
    'carries out what `npm start` does, to the same bits as the others',
    async () => {
      const folder = temporaryDirectory();
      const { exitCode, stderr } = await runWithNode(program, ['scripts/start.mjs'], folder);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const result = JSON.parse(readFileSync(join(folder, 'runs/quick/result.json'), 'utf8'));
      // Below the least that other seeds and processors gave.
      expect(result.mAP).toBeGreaterThan(0.5);
      digests.set(version, `${result.weightsSha256} ${result.codesSha256}`);
      expect(new Set(digests.values()).size).toBe(1);
    },
    30 * minutes,
  );
});
