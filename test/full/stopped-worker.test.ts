import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askRun } from '../kit/ask-run.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};

beforeAll(async () => {
  small = await smallRun();
  const { exitCode } = await runCommandLine(['train', small.runFile, '--workers', '1'], {
    cwd: small.folder,
  });
  expect(exitCode).toBe(0);
  expected = await digests('small');
});
afterAll(() => small.remove());

// Each waits for most of its time: side by side they take that of the longest.
const workersOf = (run: CommandLine): number[] =>
  execFileSync('pgrep', ['-P', String(run.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number);

test.concurrent('one of three workers is stopped: the others go on, also with an evaluation, and the bits are the same', async () => {
  const run = new CommandLine(
    [
      ...['train', small.runFile, '--workers', '3', '--set', 'metadata.name=stopped'],
      // Half of all microbatches are computed twice and compared.
      ...['--set', 'spec.operation.verification.rate=0.5'],
    ],
    { cwd: small.folder },
  );
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('3'));
  const workers = workersOf(run);
  expect(workers).toHaveLength(3);
  process.kill(workers[0]!, 'SIGSTOP');
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('7'));
  process.kill(workers[0]!, 'SIGCONT');
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await digests('stopped')).toEqual(expected);
});

test.concurrent('a worker that was stopped for so long that it was given up comes back by itself and computes again', async () => {
  const run = new CommandLine(
    [
      ...['coordinator', small.runFile, '--set', 'metadata.name=given-up'],
      ...['--set', 'spec.operation.membership.silenceSeconds=5'],
    ],
    { cwd: small.folder },
  );
  const { address } = await run.line('waiting for workers');
  const ask = (command: string) => askRun(small.folder, command, '--run', 'given-up');
  // Held before its first step, so that all three are part of it however fast the machine is.
  await ask('pause');
  const [first, second, stopped] = ['first', 'second', 'stopped'].map(
    (name) =>
      new CommandLine(
        ['worker', '--connect', `${address}`, '--data', 'data', '--cache', 'cache', '--name', name],
        { cwd: small.folder },
      ),
  );
  for (const name of ['first', 'second', 'stopped']) {
    await run.line('worker joined', ({ worker }) => `${worker}`.endsWith(`(${name})`));
  }
  stopped!.kill('SIGSTOP');
  await ask('resume');
  // The step that waits for it is the last before the run holds again.
  await ask('pause');
  const left = await run.line('worker left', ({ worker }) => `${worker}`.endsWith('(stopped)'));
  expect(left.reason).toMatch(/^it said nothing for \d+ s$/);
  await run.line('checkpoint written');
  stopped!.kill('SIGCONT');
  expect(await stopped!.line('reconnected')).toMatchObject({ kept: true });
  // From here on there is nobody else: what is computed, it computed.
  for (const other of [first!, second!]) other.kill('SIGKILL');
  await ask('resume');
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await stopped!.ended).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
  expect(stopped!.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
  expect(await digests('given-up')).toEqual(expected);
});

test.concurrent('one of two workers is killed in mid-step: the other keeps its process, and the bits are the same', async () => {
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
  expect(await digests('killed-worker')).toEqual(expected);
});
