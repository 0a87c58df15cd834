import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const workersOf = (run: CommandLine): number[] =>
  execFileSync('pgrep', ['-P', String(run.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number);

test('one of three workers is stopped: the others go on, also with an evaluation, and the bits are the same', async () => {
  const train = (name: string, workers: number) => [
    ...['train', small.runFile, '--workers', `${workers}`, '--set', `metadata.name=${name}`],
    // Half of all microbatches are computed twice and compared.
    ...['--set', 'spec.operation.verification.rate=0.5'],
  ];
  expect((await runCommandLine(train('one', 1), { cwd: small.folder })).exitCode).toBe(0);
  const run = new CommandLine(train('stopped', 3), { cwd: small.folder });
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('3'));
  const workers = workersOf(run);
  expect(workers).toHaveLength(3);
  process.kill(workers[0]!, 'SIGSTOP');
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('7'));
  process.kill(workers[0]!, 'SIGCONT');
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  const [one, stopped] = [await small.result('one'), await small.result('stopped')];
  expect(stopped.weightsSha256).toBe(one.weightsSha256);
  expect(stopped.codesSha256).toBe(one.codesSha256);
});

test('one of two workers is killed in mid-step: the other keeps its process, and the bits are the same', async () => {
  const run = new CommandLine(
    ['train', small.runFile, '--workers', '2', '--set', 'metadata.name=killed-worker'],
    { cwd: small.folder },
  );
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('2'));
  const [killed, survivor] = workersOf(run);
  process.kill(killed!, 'SIGKILL');
  await run.line('worker left');
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('8'));
  expect(workersOf(run)).toContain(survivor);
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  const [one, result] = [await small.result('one'), await small.result('killed-worker')];
  expect(result.weightsSha256).toBe(one.weightsSha256);
});
