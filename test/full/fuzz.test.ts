import { expect, test } from 'vitest';
import { fuzzedRun } from '../kit/fuzzed-run.js';

test('100,000 fuzzed messages are refused and counted in bounded memory; the run ends with its bits', async () => {
  const { endings, refused, grownMiB, results } = await fuzzedRun({
    seed: 2,
    before: 99_000,
    during: 1_000,
    iterations: 12,
  });
  expect(endings).toEqual(Array(3).fill({ exitCode: 0, stderr: '' }));
  expect(refused).toBeGreaterThanOrEqual(99_000);
  // V8 may hold 256 MiB of garbage (src/transport/garbage-collection.ts), and what it holds besides moves in steps.
  expect(grownMiB).toBeLessThan(384);
  expect(results[1]).toEqual(results[0]);
}, 1_800_000);
