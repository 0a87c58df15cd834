import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { FakeMachine, fakeUuid } from '../kit/fake-machine.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/** A driver of two GPUs that are not there; the workers compute with the engine that is installed. */
const machine = new FakeMachine({ gpus: [{}, {}] });
let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(async () => {
  await small.remove();
  machine.remove();
});

const worker = (address: unknown, ...flags: string[]) =>
  new CommandLine(['worker', '--connect', `${address}`, '--data', 'data', '--cache', 'cache', ...flags], {
    cwd: small.folder,
    env: machine.environment,
  });

test('worker --devices all has a member for each GPU, and ends with the run', async () => {
  const run = new CommandLine(
    [
      'coordinator',
      small.runFile,
      '--set',
      'spec.schedule.iterations=1',
      '--set',
      'spec.schedule.decayAfter=[]',
    ],
    { cwd: small.folder },
  );
  const { address } = await run.line('waiting for workers');
  const workers = worker(address, '--devices', 'all', '--name', 'rack-3');
  for (const place of ['0', '1']) {
    await run.line('worker joined', ({ worker: name }) =>
      `${name}`.endsWith(`(rack-3-local-${place}-gpu-${place})`),
    );
  }
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await workers.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(workers.lines.find(({ message }) => message === 'devices chosen')?.devices).toEqual([
    `GPU 0 (NVIDIA A100-SXM4-80GB, ${fakeUuid(0)})`,
    `GPU 1 (NVIDIA A100-SXM4-80GB, ${fakeUuid(1)})`,
  ]);
});

test('a signal makes the workers of all GPUs leave, and an expected restart has its exit code', async () => {
  const workers = worker('127.0.0.1:9', '--devices', '1,0', '--expect-restart');
  const starts = ({ device }: Record<string, unknown>) => `${device}`.startsWith('GPU 0');
  await workers.line('worker started on a GPU', starts);
  workers.kill('SIGTERM');
  const { exitCode, stderr } = await workers.ended;
  expect([exitCode, stderr]).toEqual([
    75,
    'fcaenet: these workers were told to leave before the run was over; others may take their places.\n',
  ]);
});

test('when no worker is left on any GPU, the command ends with the last one’s words and code', async () => {
  const { exitCode, stderr } = await worker('127.0.0.1:9', '--devices', 'all', '--connect-timeout', '1')
    .ended;
  // WORKER_DEVICES
  expect(stderr).toMatch(
    /^fcaenet: no worker is left on any of the GPUs, expected at least one; the last one ended with: no coordinator answered at 127\.0\.0\.1:9 within 1 s/,
  );
  expect(exitCode).toBe(69);
});

test('devices that are not there are refused with those that are', async () => {
  const { exitCode, stderr } = await runCommandLine(
    ['worker', '--connect', '127.0.0.1:9', '--data', 'data', '--devices', '0,5'],
    { cwd: small.folder, env: machine.environment },
  );
  expect(exitCode).toBe(78);
  expect(stderr).toBe(
    `fcaenet: device "5" must be one of this machine's GPUs: 0 (${fakeUuid(0)}), 1 (${fakeUuid(1)}).\n`,
  );
});

test('no worker is left behind', () => {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(all.split('\n').filter((line) => line.includes(small.folder))).toEqual([]);
});
