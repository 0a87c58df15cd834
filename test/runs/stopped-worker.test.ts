import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test('one of three workers is stopped: the others go on, it takes part again, the bits are the same', async () => {
  const train = (name: string, workers: number) => [
    ...['train', small.runFile, '--workers', `${workers}`, '--set', `metadata.name=${name}`],
    ...['--set', 'spec.operation.verification.rate=0.5'],
  ];
  const { exitCode } = await runCommandLine(train('one', 1), { cwd: small.folder });
  expect(exitCode).toBe(0);
  const run = new CommandLine(train('stopped', 3), { cwd: small.folder });
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('3'));
  const pids = execFileSync('pgrep', ['-P', String(run.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  process.kill(Number(pids[0]), 'SIGSTOP');
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('7'));
  process.kill(Number(pids[0]), 'SIGCONT');
  expect((await run.ended).exitCode).toBe(0);
  expect(run.lines.some(({ message }) => message === 'worker left')).toBe(false);
  const [one, stopped] = [await small.result('one'), await small.result('stopped')];
  expect(stopped.weightsSha256).toBe(one.weightsSha256);
  expect(stopped.codesSha256).toBe(one.codesSha256);
}, 60_000);
