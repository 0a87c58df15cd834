import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};
const train = (name: string, ...flags: string[]) => [
  'train',
  small.runFile,
  '--set',
  `metadata.name=${name}`,
  ...flags,
];

beforeAll(async () => {
  small = await smallRun();
  const { exitCode, stderr } = await runCommandLine(train('one', '--workers', '1'), { cwd: small.folder });
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  expected = await digests('one');
});
afterAll(() => small.remove());

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

// Runs of two workers begin further below.
test('3 workers give the bits of one', async () => {
  const { exitCode } = await runCommandLine(train('workers-3', '--workers', '3'), { cwd: small.folder });
  expect(exitCode).toBe(0);
  expect(await digests('workers-3')).toEqual(expected);
});

describe('runs of one iteration', () => {
  const bits = async (name: string, workers: number, ...settings: string[]) => {
    const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]', ...settings];
    const flags = ['--workers', String(workers), ...short.flatMap((setting) => ['--set', setting])];
    const { exitCode } = await runCommandLine(train(name, ...flags), { cwd: small.folder });
    expect(exitCode).toBe(0);
    return digests(name);
  };
  let plain: typeof expected;
  beforeAll(async () => {
    plain = await bits('short', 1);
  });

  test('outputs recorded in training give other codes, and the same bits on any number of workers', async () => {
    const recorded = 'spec.sampledOutputs=recorded';
    const alone = await bits('recorded-1', 1, recorded);
    expect(alone.codesSha256).not.toBe(plain.codesSha256);
    expect(await bits('recorded-2', 2, recorded)).toEqual(alone);
  });

  test('another seed gives other bits', async () => {
    const other = await bits('seed', 2, 'spec.seed=1');
    expect(other.weightsSha256).not.toBe(plain.weightsSha256);
    expect(other.codesSha256).not.toBe(plain.codesSha256);
  });
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
  expect(await digests('killed')).toEqual(expected);
  const audit = await runCommandLine(['audit', 'runs/killed'], { cwd: small.folder });
  expect([audit.exitCode, audit.stderr]).toEqual([0, '']);
  expect(audit.lines.at(-1)).toMatchObject({ steps: 12, samples: 20, terms: [1, 2], ...expected });
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
  expect(await digests('interrupted')).toEqual(expected);
});

test('a worker killed in the middle costs its microbatches, not the run', async () => {
  const run = new CommandLine(train('worker-lost', '--workers', '2'), { cwd: small.folder });
  await run.line('checkpoint written');
  const workers = execFileSync('pgrep', ['-P', String(run.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  expect(workers).toHaveLength(2);
  process.kill(Number(workers[0]), 'SIGKILL');
  await run.line('worker left');
  const { exitCode } = await run.ended;
  expect(exitCode).toBe(0);
  expect(await digests('worker-lost')).toEqual(expected);
});

test('workers that join before and during the run give the same bits', async () => {
  const coordinator = new CommandLine(['coordinator', small.runFile, '--set', 'metadata.name=joined'], {
    cwd: small.folder,
  });
  const { address } = await coordinator.line('waiting for workers');
  const worker = () =>
    new CommandLine(['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'], {
      cwd: small.folder,
    });
  const first = worker();
  await coordinator.line('checkpoint written');
  const second = worker();
  const endings = await Promise.all([coordinator, first, second].map(({ ended }) => ended));
  expect(endings.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
    [0, ''],
    [0, ''],
    [0, ''],
  ]);
  expect(await digests('joined')).toEqual(expected);
});

// Workers and coordinators that are killed with bfloat16 on the wire: the simulation.
test('bfloat16 on the wire: the bits are the same through shared memory and over gRPC', async () => {
  const short = ['spec.wire.precision=bfloat16', 'spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
  const flags = short.flatMap((setting) => ['--set', setting]);
  const cwd = small.folder;
  const alone = await runCommandLine(train('bfloat16', '--workers', '1', ...flags), { cwd });
  expect([alone.exitCode, alone.stderr]).toEqual([0, '']);
  const { engine } = await small.result('bfloat16');
  expect(engine.wirePrecision).toBe('bfloat16');

  const name = ['--set', 'metadata.name=bfloat16-grpc'];
  const coordinator = new CommandLine(['coordinator', small.runFile, ...name, ...flags], { cwd });
  const { address } = await coordinator.line('waiting for workers');
  const joining = ['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'];
  const all = [coordinator, ...[1, 2].map(() => new CommandLine(joining, { cwd }))];
  const endings = await Promise.all(all.map(({ ended }) => ended));
  expect(endings.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(all.map(() => [0, '']));
  expect(await digests('bfloat16-grpc')).toEqual(await digests('bfloat16'));
});

test('a checkpoint with one flipped byte is refused with the reason and the one before it is used', async () => {
  const first = new CommandLine(train('flipped', '--workers', '1'), { cwd: small.folder });
  await first.line('checkpoint written', ({ name }) => String(name).endsWith('3'));
  first.kill('SIGKILL');
  await first.ended;
  const folder = join(small.folder, 'runs', 'flipped', 'checkpoints');
  const newest = (await readdir(folder))
    .filter((name) => name.startsWith('term-'))
    .sort()
    .at(-1)!;
  const file = join(folder, newest, 'weights.safetensors');
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
  const resumed = await runCommandLine(train('flipped', '--workers', '1', '--resume'), { cwd: small.folder });
  expect(resumed.exitCode).toBe(0);
  expect(resumed.lines.find(({ message }) => message === 'checkpoint cannot be used')).toMatchObject({
    level: 'warn',
    name: newest,
    reason: expect.stringMatching(/^weights\.safetensors has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}$/),
  });
  expect(await digests('flipped')).toEqual(expected);
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
