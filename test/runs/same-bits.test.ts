import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { ReferenceRun } from '../kit/reference-run.js';
import type { SmallRun } from '../kit/small-run.js';

let reference: ReferenceRun;
let small: SmallRun;
const train = (...args: Parameters<ReferenceRun['train']>) => reference.train(...args);
const digests = (name: string) => reference.digestsOf(name);

beforeAll(async () => {
  reference = await ReferenceRun.make();
  small = reference.small;
});
afterAll(() => reference.remove());

test('a run has a complete result', async () => {
  const result = await small.result('one');
  expect(result).toMatchObject({
    run: 'one',
    method: 'fcaenet',
    bits: 12,
    iterations: 3,
    workers: 1,
    dataset: { classes: 4, train: 32, test: 12 },
    engine: {
      engine: expect.any(String),
      // Of the native kernels, or of the graph that a microbatch is.
      buildHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      probeSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
  expect(result.mAP).toBeGreaterThan(0);
  expect(result.mAP).toBeLessThanOrEqual(1);
  expect(result.imagesPerSecond).toBeGreaterThan(0);
  expect(result.history.map(({ iteration, learningRate }) => [iteration, learningRate])).toEqual([
    [1, 0.01],
    [2, 0.01],
    [3, 0.001],
  ]);
});

// Runs of two workers, and what else may happen to a run: test/slow/.
test('3 workers give the bits of one', async () => {
  const { exitCode } = await runCommandLine(train('workers-3', '--workers', '3'), { cwd: small.folder });
  expect(exitCode).toBe(0);
  expect(await digests('workers-3')).toEqual(reference.digests);
});

test('killed with SIGKILL in the middle and resumed with another number of workers, the bits are the same', async () => {
  const first = new CommandLine(train('killed', '--workers', '2'), { cwd: small.folder });
  await first.line('checkpoint written', ({ name }) => String(name).endsWith('5'));
  first.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');
  const resumed = await runCommandLine(train('killed', '--workers', '3', '--resume'), { cwd: small.folder });
  expect(resumed.stderr).toBe('');
  expect(resumed.exitCode).toBe(0);
  expect(resumed.lines.find(({ message }) => message === 'resuming')).toBeDefined();
  expect(await digests('killed')).toEqual(reference.digests);
  const audit = await runCommandLine(['audit', 'runs/killed'], { cwd: small.folder });
  expect([audit.exitCode, audit.stderr]).toEqual([0, '']);
  expect(audit.lines.at(-1)).toMatchObject({ steps: 12, samples: 20, terms: [1, 2], ...reference.digests });
});

test('Ctrl-C ends with a durable checkpoint and exit code 75, and the run goes on to the same bits', async () => {
  const first = new CommandLine(train('interrupted', '--workers', '2'), { cwd: small.folder });
  await first.line('checkpoint written');
  first.kill('SIGINT');
  const { exitCode, stderr } = await first.ended;
  expect(stderr).toMatch(/^fcaenet: run interrupted was interrupted; checkpoint term-\S+ is written, .*\n$/);
  expect(exitCode).toBe(75);
  const resumed = await runCommandLine(train('interrupted', '--workers', '1', '--resume=auto'), {
    cwd: small.folder,
  });
  expect(resumed.exitCode).toBe(0);
  expect(await digests('interrupted')).toEqual(reference.digests);
});

test('evaluate finds the figures of the finished run in its checkpoint', async () => {
  const { exitCode, lines, stderr } = await runCommandLine(['evaluate', 'runs/one', '--workers', '1'], {
    cwd: small.folder,
  });
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  const { mAP, tieAveragedMAP, precisionAt } = await small.result('one');
  const evaluated = lines.find(({ message }) => message === 'evaluated')!;
  expect(evaluated).toMatchObject({ mAP, tieAveragedMAP, precisionAt });
  // Every class has as many queries, so that their figures' mean is the whole's.
  const classes = evaluated.perClassAP as { name: string; mAP: number }[];
  expect(classes.map(({ name }) => name).sort()).toEqual(['001.Kind', '002.Kind', '003.Kind', '004.Kind']);
  expect(classes.reduce((sum, figure) => sum + figure.mAP, 0) / 4).toBeCloseTo(mAP!, 10);
  expect(evaluated).toMatchObject({
    worstClass: classes[0]!.name,
    worstClassAP: Math.min(...classes.map((figure) => figure.mAP)),
    bestClass: classes[3]!.name,
    bestClassAP: Math.max(...classes.map((figure) => figure.mAP)),
  });
});
