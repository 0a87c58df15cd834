import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { askControlSocket } from '../../src/transport/control/socket.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { askRun } from '../kit/ask-run.js';
import { CommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let run: SmallRun;
beforeAll(async () => {
  run = await smallRun();
});
afterAll(() => run.remove());

test('a run is asked by its directory: status, pause, checkpoint, resume, drain, stop', {
  timeout: 60_000,
}, async () => {
  const name = ['--set', 'metadata.name=asked', '--workers', '2'];
  const command = new CommandLine(['train', run.runFile, ...name], { cwd: run.folder });
  onTestFinished(() => command.kill('SIGKILL'));
  const directory = RunDirectory.at(join(run.folder, 'runs', 'asked'));
  const ask = async (request: { command: string; worker?: string }) =>
    JSON.parse(await askControlSocket(directory.controlSocket, JSON.stringify(request)));
  await command.line('checkpoint written');

  expect(await ask({ command: 'pause' })).toMatchObject({ ok: true, run: 'asked', term: 1 });
  await expect.poll(() => ask({ command: 'status' }), { timeout: 20_000 }).toMatchObject({ state: 'paused' });
  const status = (await askRun(run.folder, 'status')) as {
    position: { globalStep: number };
    workers: { name: string; state: string }[];
    checkpoint: { name: string };
  };
  expect(status.workers.length).toBeGreaterThan(0);
  const { checkpoint } = await ask({ command: 'checkpoint' });
  expect(checkpoint).toBe(`term-000001-step-${String(status.position.globalStep).padStart(10, '0')}`);
  const worker = status.workers[0]!.name;
  expect(await askRun(run.folder, 'drain', worker, '--run', 'runs/asked')).toMatchObject({ worker });
  await expect(askRun(run.folder, 'drain', 'nobody', '--run', 'asked')).rejects.toThrow(
    '1: fcaenet: run asked refused the request: there is no worker nobody; status lists them by slot and name.',
  );
  expect(await ask({ command: 'status' })).toMatchObject({ position: status.position });

  await ask({ command: 'resume' });
  await command.line('checkpoint written', (line) => String(line.name) > checkpoint);
  expect(await ask({ command: 'stop' })).toMatchObject({ state: 'stopping' });
  expect((await command.ended).exitCode).toBe(75);
  expect(existsSync(directory.controlSocket)).toBe(false);

  const events = readEvents(directory);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  const types = events.map(({ type }) => type);
  expect([types[0], types.at(-1)]).toEqual(['run.started', 'run.interrupted']);
  expect(types).toEqual(
    expect.arrayContaining(['worker.joined', 'checkpoint.written', 'run.paused', 'run.continued']),
  );
});

test('a run says that it waits for more workers than it starts, and that its last worker has left', {
  timeout: 120_000,
}, async () => {
  const settings = ['metadata.name=few', 'spec.operation.membership.minWorkers=2'];
  const command = new CommandLine(
    ['train', run.runFile, '--workers', '1', ...settings.flatMap((setting) => ['--set', setting])],
    { cwd: run.folder },
  );
  onTestFinished(() => command.kill('SIGKILL'));
  expect(
    await command.line('this command starts only 1 worker, but the run waits until 2 have joined'),
  ).toEqual(
    expect.objectContaining({ level: 'warn', remedy: expect.stringContaining('--workers 2 starts as many') }),
  );
  await command.line('worker joined');

  const socket = join(run.folder, 'runs', 'few', 'control.sock');
  const idle = Array.from({ length: 20 }, () => createConnection(socket).on('error', () => {}));
  await expect(askRun(run.folder, 'status', '--run', 'few')).rejects.toThrow(
    '69: fcaenet: run few is busy with other requests; try again.',
  );
  for (const each of idle) each.destroy();

  await askRun(run.folder, 'drain', 'local-0', '--run', 'few');
  expect(await command.line('no worker is left; the run waits until one joins')).toEqual(
    expect.objectContaining({
      level: 'warn',
      remedy: expect.stringMatching(/npx fcaenet worker --connect 127\.0\.0\.1:\d+ .*FCAENET_JOIN_TOKEN/),
    }),
  );
  command.kill('SIGTERM');
  expect((await command.ended).exitCode).toBe(75);
});

test('a run that stops does not say that it waits for workers', { timeout: 60_000 }, async () => {
  const settings = ['metadata.name=stopped', 'spec.operation.membership.minWorkers=2'];
  const command = new CommandLine(
    ['train', run.runFile, '--workers', '2', ...settings.flatMap((setting) => ['--set', setting])],
    { cwd: run.folder },
  );
  onTestFinished(() => command.kill('SIGKILL'));
  await command.line('checkpoint written');
  command.kill('SIGTERM');
  expect((await command.ended).exitCode).toBe(75);
  const messages = command.lines.map(({ message }) => message);
  expect(messages.slice(messages.indexOf('stopping')).filter((each) => each.includes('waiting'))).toEqual([]);
});

test('a run that goes on names the checkpoint from which it does, and watch says when its coordinator is gone', {
  timeout: 120_000,
}, async () => {
  const begin = ['train', run.runFile, '--set', 'metadata.name=again', '--workers', '1'];
  const first = new CommandLine(begin, { cwd: run.folder });
  onTestFinished(() => first.kill('SIGKILL'));
  await first.line('checkpoint written');
  await askRun(run.folder, 'stop', '--run', 'again');
  expect((await first.ended).exitCode).toBe(75);
  const { checkpoint: name } = readEvents(RunDirectory.at(join(run.folder, 'runs', 'again'))).at(-1) as {
    checkpoint?: string;
  };

  // Without workers it stays where it is.
  const listen = ['--set', 'spec.operation.listen=127.0.0.1:0', '--resume'];
  const second = new CommandLine(['coordinator', run.runFile, '--set', 'metadata.name=again', ...listen], {
    cwd: run.folder,
  });
  onTestFinished(() => second.kill('SIGKILL'));
  await second.line('waiting for workers');
  const { state, checkpoint } = await askRun(run.folder, 'status', '--run', 'again');
  expect({ state, checkpoint }).toEqual({
    state: 'waiting',
    checkpoint: { name, ageSeconds: expect.any(Number) },
  });
  expect((checkpoint as { ageSeconds: number }).ageSeconds).toBeGreaterThan(0);
  // What a killed coordinator of another run has left is no active run.
  const left = join(run.folder, 'runs', 'left');
  mkdirSync(left);
  writeFileSync(join(left, 'control.sock'), '');
  expect(await askRun(run.folder, 'status')).toMatchObject({ run: 'again' });

  // A coordinator that is killed says nothing.
  const watch = new CommandLine(['watch', 'again'], { cwd: run.folder });
  onTestFinished(() => watch.kill('SIGKILL'));
  const last = (fields: object) =>
    expect
      .poll(() => watch.lines.at(-1), { timeout: 60_000 })
      .toEqual(expect.objectContaining({ run: 'again', ...fields }));
  await last({ state: 'waiting', gone: false });
  second.kill('SIGKILL');
  await last({ state: 'interrupted', gone: true });
  watch.kill('SIGINT');
  expect((await watch.ended).exitCode).toBe(0);
});

test('a run that does not go on, or is not there, is told in one sentence', async () => {
  await expect(askRun(run.folder, 'status')).rejects.toThrow('69: fcaenet: no run is active in runs');
  await expect(askRun(run.folder, 'pause', '--run', 'other')).rejects.toThrow(
    '69: fcaenet: there is no run other',
  );
});
