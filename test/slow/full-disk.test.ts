import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

const toFullDisk = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];
const sentence = 'fcaenet: cannot write to standard output (ENOSPC, the disk is full)';
let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const named = (name: string, ...settings: string[]) =>
  [`metadata.name=${name}`, ...settings].flatMap((setting) => ['--set', setting]);

test('a run whose log has no room says so once and ends with the result of any other', async () => {
  const train = (name: string, within: readonly string[]) =>
    runCommandLine(['train', small.runFile, '--workers', '1', ...named(name)], { cwd: small.folder, within });
  expect((await train('plain', [])).exitCode).toBe(0);
  expect(await train('full', toFullDisk)).toMatchObject({
    exitCode: 0,
    stderr: `${sentence}; log lines are lost, the command continues.\n`,
  });
  const { weightsSha256, codesSha256 } = await small.result('plain');
  expect(await small.result('full')).toMatchObject({ weightsSha256, codesSha256 });

  // What was asked for is another matter.
  const asked = [
    ['evaluate', 'runs/plain'],
    ['audit', 'runs/plain'],
    ['runs'],
    ['runs', 'compare', 'runs/plain', 'runs/full'],
    ['dataset', 'check', 'data', '--subset'],
    ['estimate', 'run.yaml', '--images-per-second', '10'],
    ['--help'],
    ['--version'],
  ];
  for (const args of asked) {
    const { exitCode, stderr } = await runCommandLine(args, { cwd: small.folder, within: toFullDisk });
    expect([args, exitCode, stderr]).toEqual([args, 74, `${sentence}.\n`]);
  }
});

test('a coordinator counts the lines it could not write, leaves its checkpoint, and gives its lock back', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['coordinator', small.runFile, ...named('counted', `spec.operation.metrics=${address}`)];
  const run = new CommandLine(args, { cwd: small.folder, within: toFullDisk });
  onTestFinished(() => run.kill('SIGKILL'));
  const metrics = () => fetch(`http://${address}/metrics`).then((response) => response.text());
  await vi.waitFor(
    async () => expect(await metrics()).toMatch(/^fcaenet_log_lines_lost_total\{[^}]*\} [1-9]/m),
    {
      timeout: 60_000,
      interval: 100,
    },
  );
  const directory = join(small.folder, 'runs', 'counted');
  const status = await runCommandLine(['status'], { cwd: small.folder, within: toFullDisk });
  expect([status.exitCode, status.stderr]).toEqual([74, `${sentence}.\n`]);
  run.kill('SIGTERM');
  const { exitCode, stderr } = await run.ended;
  expect([exitCode, stderr]).toEqual([
    75,
    expect.stringMatching(/log lines are lost, the command continues\.\n.*checkpoint \S+ is written/),
  ]);
  expect(['lock', 'control.sock'].filter((name) => existsSync(join(directory, name)))).toEqual([]);
});
