import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CommandLine, type LogLine, runCommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { HeldRun } from '../kit/held-run.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};
const coordinator = (name: string, port: number, ...flags: string[]) =>
  new CommandLine(
    [
      ...['coordinator', small.runFile, '--resume=auto', '--set', `metadata.name=${name}`],
      ...['--set', `spec.operation.listen=127.0.0.1:${port}`, ...flags],
    ],
    { cwd: small.folder },
  );
const worker = (port: number, name: string, ...flags: string[]) =>
  new CommandLine(
    [
      ...['worker', '--connect', `127.0.0.1:${port}`, '--data', 'data', '--cache', 'cache'],
      ...['--name', name, ...flags],
    ],
    { cwd: small.folder },
  );
const said = (message: string) => (line: LogLine) => line.said === message;
const afterStep = (step: number) => (line: LogLine) =>
  String(line.name).endsWith(`-${`${step}`.padStart(10, '0')}`);
const withoutComplaint = { exitCode: 0, signal: null, stderr: '' };

beforeAll(async () => {
  small = await smallRun();
  const { exitCode } = await runCommandLine(['train', small.runFile, '--workers', '1'], {
    cwd: small.folder,
  });
  expect(exitCode).toBe(0);
  expected = await digests('small');
});
afterAll(() => small.remove());

test('a coordinator killed with SIGKILL and started again finds its workers as they were', async () => {
  const port = await freePort();
  const killed = coordinator('crash', port);
  const workers = [worker(port, 'a'), worker(port, 'b')];
  await killed.line('checkpoint written', afterStep(5));
  killed.kill('SIGKILL');
  expect((await killed.ended).signal).toBe('SIGKILL');
  const again = coordinator('crash', port);
  expect(await again.ended).toMatchObject(withoutComplaint);
  for (const each of workers) {
    expect(await each.ended).toMatchObject(withoutComplaint);
    expect(each.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
    expect(each.lines.filter(({ message }) => message === 'reconnected')).toMatchObject([{ kept: true }]);
  }
  expect(await digests('crash')).toEqual(expected);
  // What workers logged meanwhile reaches the coordinator that came after, under their names.
  for (const name of ['a', 'b']) {
    const theirs = again.lines.filter(({ worker }) => String(worker).endsWith(`(${name})`));
    expect(theirs.find(said('the coordinator is gone; reconnecting'))).toMatchObject({ level: 'warn' });
    expect(theirs.find(said('reconnected'))).toMatchObject({ level: 'info', fields: { kept: true } });
  }
});

test('a crash loses at most everySteps, whatever the step after which it comes', async () => {
  const port = await freePort();
  const everySteps = 3;
  const start = () =>
    coordinator('bounded', port, '--set', `spec.operation.checkpoint.everySteps=${everySteps}`);
  const patient = worker(port, 'patient');
  const stepOf = (line: LogLine) =>
    Number(
      String(line.checkpoint ?? line.name)
        .split('-')
        .at(-1),
    );
  let run = start();
  for (const crash of [1, 2]) {
    await run.line('checkpoint written', (line) => stepOf(line) >= everySteps * crash);
    // In the steps that follow, while the next checkpoint is begun and written.
    const held = await HeldRun.attach(run, small.folder, 'bounded');
    const { globalStep } = await held.hold();
    run.kill('SIGKILL');
    await run.ended;
    run = start();
    const resumed = stepOf(await run.line('resuming'));
    expect(resumed).toBeGreaterThanOrEqual(globalStep - everySteps);
    expect(resumed).toBeLessThanOrEqual(globalStep);
  }
  expect(await run.ended).toMatchObject(withoutComplaint);
  expect(await patient.ended).toMatchObject(withoutComplaint);
  expect(patient.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
  expect(await digests('bounded')).toEqual(expected);
});

test('workers wait for a coordinator that was interrupted, and end with the one that finishes', async () => {
  const port = await freePort();
  const interrupted = coordinator('paused', port);
  const waiting = worker(port, 'patient');
  const leaving = worker(port, 'once', '--reconnect-timeout', '0');
  await Promise.all([waiting, leaving].map((each) => each.line('engine ready')));
  await interrupted.line('checkpoint written');
  interrupted.kill('SIGTERM');
  expect((await interrupted.ended).exitCode).toBe(75);
  expect(await leaving.ended).toMatchObject(withoutComplaint);
  await waiting.line(
    'the coordinator is gone; reconnecting',
    ({ reason }) => reason === 'it was interrupted',
  );
  expect((await coordinator('paused', port).ended).exitCode).toBe(0);
  expect(await waiting.ended).toMatchObject(withoutComplaint);
  expect(await digests('paused')).toEqual(expected);
});

test('a worker gives up on a coordinator that does not come back', async () => {
  const port = await freePort();
  const killed = coordinator('abandoned', port);
  const waiting = worker(port, 'w', '--reconnect-timeout', '2');
  await killed.line('worker joined');
  killed.kill('SIGKILL');
  const { exitCode, stderr } = await waiting.ended;
  expect(stderr).toMatch(
    /^fcaenet: the coordinator at 127\.0\.0\.1:\d+ is gone \(.+\) and did not come back within 2 s: no process listens on that port\.\n$/,
  );
  expect(exitCode).toBe(1);
});

test('a worker told to stop hands back its microbatches, ends with 0, and the bits are the same', async () => {
  const port = await freePort();
  const run = coordinator('left', port);
  const [stays, leaves] = [worker(port, 'stays'), worker(port, 'leaves')];
  await run.line('worker joined', ({ worker }) => String(worker).endsWith('(leaves)'));
  await run.line('checkpoint written');
  leaves.kill('SIGTERM');
  expect(await leaves.ended).toMatchObject(withoutComplaint);
  expect(await run.line('worker left')).toMatchObject({ reason: 'it left: it was told to stop' });
  expect(await run.ended).toMatchObject(withoutComplaint);
  expect(await stays.ended).toMatchObject(withoutComplaint);
  expect(await digests('left')).toEqual(expected);
});

test('a worker that is started again when needed ends with 75 when told to stop, and with 0 after the run', async () => {
  const port = await freePort();
  const run = coordinator('restarted', port);
  const [stays, leaves] = ['stays', 'leaves'].map((name) => worker(port, name, '--expect-restart'));
  await run.line('worker joined', ({ worker }) => String(worker).endsWith('(leaves)'));
  leaves!.kill('SIGTERM');
  expect(await leaves!.ended).toMatchObject({
    exitCode: 75,
    stderr:
      'fcaenet: this worker was told to leave before the run was over; another one may take its place.\n',
  });
  expect(await run.ended).toMatchObject(withoutComplaint);
  expect(await stays!.ended).toMatchObject(withoutComplaint);
});

test('SIGTERM while the dataset is read ends with 75 at once', async () => {
  // A file whose reader waits, as on a network disk that does not answer: the stored digests of the pictures.
  const [name] = (await readdir(join(small.folder, 'cache'))).filter((each) => each.endsWith('.digests'));
  await mkdir(join(small.folder, 'slow'));
  const digests = join(small.folder, 'slow', name!);
  execFileSync('mkfifo', [digests]);
  const run = coordinator('slow', await freePort(), '--set', 'spec.operation.cache.directory=slow');
  const writer = await vi.waitFor(() => openSync(digests, constants.O_WRONLY | constants.O_NONBLOCK), 10_000);
  run.kill('SIGTERM');
  await run.line('stopping');
  closeSync(writer);
  expect(await run.ended).toMatchObject({
    exitCode: 75,
    signal: null,
    stderr: expect.stringMatching(
      /^fcaenet: run slow was interrupted; it was only starting, and `node \S+cli\.js coordinator \S+ --resume=auto .*` goes on\.\n$/,
    ),
  });
});
