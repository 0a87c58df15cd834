import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const benchmark = (...args: string[]) => run(process.execPath, ['bench/scale.mjs', ...args]);

interface Report {
  readonly gradientBytes: number;
  readonly results: readonly {
    readonly way: string;
    readonly steps: number;
    readonly computeSeconds: number;
    readonly stepSeconds: number;
    readonly bytesIn: number;
    readonly weightsOut: number;
    readonly computedTwice: number;
  }[];
}

test('bench:scale runs real workers with made-up gradients, whose sums are right, and counts the bytes', async () => {
  const small = ['--backbone', 'mobilenet_v1', '--width', '0.25', '--seconds', '1'];
  const { stdout } = await benchmark('--members', '2', '--ways', 'off', ...small);
  const [, file] = /^written to (.*)$/m.exec(stdout)!;
  const report = JSON.parse(readFileSync(file!, 'utf8')) as Report;
  rmSync(file!);
  expect(report.results).toHaveLength(1);
  const [row] = report.results;
  expect(row!.steps).toBeGreaterThanOrEqual(3);
  expect(row!.stepSeconds).toBeGreaterThan(row!.computeSeconds);
  // A node of each member in a step: its gradient, and less than an eighth of it for everything else.
  expect(row!.bytesIn).toBeGreaterThan(2 * report.gradientBytes);
  expect(row!.bytesIn).toBeLessThan(2.25 * report.gradientBytes);
  expect(row!.weightsOut).toBeGreaterThan(2);
  expect(row!.weightsOut).toBeLessThan(2.05);
});

test.each([
  [['--members', '3'], '3 members with 4 microbatches each have 12 microbatches, expected a power of two.\n'],
  [['--ways', 'ring'], /^--ways is ring, expected a list of off/],
  [['--compute-ms', 'fast'], '--compute-ms is fast, expected positive numbers.\n'],
])('bench:scale %j is refused with a sentence', async (args, stderr) => {
  await expect(benchmark(...args)).rejects.toMatchObject({
    code: 64,
    stderr: typeof stderr === 'string' ? stderr : expect.stringMatching(stderr),
  });
});
