import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { streamedEvents } from '../kit/event-stream.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let run: SmallRun;
beforeAll(async () => {
  run = await smallRun();
});
afterAll(() => run.remove());

const train = (name: string, ...flags: string[]) => [
  ...['train', run.runFile, '--set', `metadata.name=${name}`, '--workers', '2'],
  ...flags,
];

/** What a control command prints; throws its sentence where it ends with another code than 0. */
async function ask(...args: string[]): Promise<Record<string, unknown>> {
  const { exitCode, stderr, stdout } = await runCommandLine(args, { cwd: run.folder });
  if (exitCode !== 0) throw new Error(`${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}

test('a run is asked by its directory: status, pause, checkpoint, resume, drain, stop', {
  timeout: 60_000,
}, async () => {
  const command = new CommandLine(train('asked'), { cwd: run.folder });
  onTestFinished(() => command.kill('SIGKILL'));
  await command.line('checkpoint written');
  await ask('pause', '--run', 'asked');
  await expect
    .poll(() => ask('status'), { timeout: 20_000 })
    .toMatchObject({ state: 'paused', run: 'asked', term: 1 });
  const status = (await ask('status', '--run', 'runs/asked')) as {
    position: { globalStep: number };
    workers: { name: string; state: string }[];
    checkpoint: { name: string };
  };
  expect(status.workers.length).toBeGreaterThan(0);
  expect((await ask('checkpoint')).checkpoint).toBe(
    `term-000001-step-${String(status.position.globalStep).padStart(10, '0')}`,
  );
  expect(await ask('drain', status.workers[0]!.name)).toMatchObject({ worker: status.workers[0]!.name });
  await expect(ask('drain', 'nobody')).rejects.toThrow(
    '1: fcaenet: run asked refused: there is no worker nobody',
  );
  expect(await ask('status')).toMatchObject({ position: status.position });
  await ask('resume');
  await command.line('checkpoint written', ({ name }) => !String(name).endsWith(status.checkpoint.name));
  expect(await ask('stop')).toMatchObject({ state: 'stopping' });
  expect((await command.ended).exitCode).toBe(75);
  const directory = RunDirectory.at(join(run.folder, 'runs', 'asked'));
  expect(existsSync(directory.controlSocket)).toBe(false);
  await expect(ask('status', '--run', 'asked')).rejects.toThrow(
    '69: fcaenet: no coordinator of run asked answers',
  );
  await expect(ask('status', '--run', 'other')).rejects.toThrow('69: fcaenet: there is no run other');
  const events = readEvents(directory);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  const types = events.map(({ type }) => type);
  expect([types[0], types.at(-1)]).toEqual(['run.started', 'run.interrupted']);
  expect(types).toEqual(
    expect.arrayContaining([
      'worker.joined',
      'checkpoint.written',
      'run.paused',
      'run.continued',
      'worker.left',
    ]),
  );
});

test.skipIf(natsMissing !== '')(
  `over NATS: events arrive in order, a server killed in mid-run loses none, control and lease work${natsMissing}`,
  { timeout: 90_000 },
  async () => {
    const server = await NatsServer.start();
    onTestFinished(() => server.remove());
    const flags = ['--set', `spec.operation.nats.url=${server.url}`];
    const command = new CommandLine(train('streamed', ...flags), { cwd: run.folder });
    onTestFinished(() => command.kill('SIGKILL'));
    await command.line('checkpoint written');
    await ask('pause', '--run', 'streamed', '--nats', server.url);
    const elsewhere = ['--set', 'spec.operation.runsDirectory=elsewhere'];
    const second = await runCommandLine(train('streamed', ...flags, ...elsewhere), { cwd: run.folder });
    expect([second.exitCode, second.stderr]).toEqual([
      73,
      expect.stringContaining(`run streamed is led by process ${command.pid}`),
    ]);
    await server.kill();
    await ask('resume', '--run', 'streamed');
    await command.line('NATS server lost; events wait for it');
    await command.line('evaluated');
    await server.start();
    expect((await command.ended).exitCode).toBe(0);
    const written = readEvents(RunDirectory.at(join(run.folder, 'runs', 'streamed')));
    expect(written.at(-1)?.type).toBe('run.finished');
    expect(await streamedEvents(server.url)).toEqual(written);
  },
);
