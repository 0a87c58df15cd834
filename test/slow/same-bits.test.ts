import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type Digests, ReferenceRun } from '../kit/reference-run.js';
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

describe('runs of one iteration', () => {
  const bits = async (name: string, workers: number, ...settings: string[]) => {
    const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]', ...settings];
    const flags = ['--workers', String(workers), ...short.flatMap((setting) => ['--set', setting])];
    const { exitCode } = await runCommandLine(train(name, ...flags), { cwd: small.folder });
    expect(exitCode).toBe(0);
    return digests(name);
  };
  let plain: Digests;
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
  expect(await digests('worker-lost')).toEqual(reference.digests);
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
  expect(await digests('joined')).toEqual(reference.digests);
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
  expect(await digests('flipped')).toEqual(reference.digests);
});
