import { expect, test } from 'vitest';
import { fuzzedRun } from '../kit/fuzzed-run.js';

test('2,000 fuzzed messages are refused and counted; the run ends with its bits', async () => {
  const { endings, refused, grownMiB, results } = await fuzzedRun({
    seed: 1,
    before: 1_700,
    during: 300,
    iterations: 4,
  });
  expect(endings).toEqual(Array(3).fill({ exitCode: 0, stderr: '' }));
  expect(refused).toBeGreaterThanOrEqual(1_700);
  expect(grownMiB).toBeLessThan(128);
  expect(results[1]).toEqual(results[0]);
}, 90_000);
