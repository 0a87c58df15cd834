import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { RunDirectory } from '../../src/run/run-directory.js';
import { askControlSocket } from '../../src/transport/control/socket.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { askRun } from '../kit/ask-run.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { streamedEvents } from '../kit/event-stream.js';
import { NatsServer, natsMissing } from '../kit/nats-server.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let run: SmallRun;
let undisturbed: { weightsSha256: string; codesSha256: string };
beforeAll(async () => {
  run = await smallRun();
  expect((await runCommandLine(train('undisturbed'), { cwd: run.folder })).exitCode).toBe(0);
  undisturbed = await hashes('undisturbed');
});
afterAll(() => run.remove());

const train = (name: string, ...flags: string[]) => [
  ...['train', run.runFile, '--set', `metadata.name=${name}`, '--workers', '1'],
  ...flags,
];

async function hashes(name: string) {
  const { weightsSha256, codesSha256 } = await run.result(name);
  return { weightsSha256, codesSha256 };
}

function start(...args: string[]): CommandLine {
  const command = new CommandLine(args, { cwd: run.folder });
  onTestFinished(() => command.kill('SIGKILL'));
  return command;
}

/** Takes a run whose lease runs out, asking again and again as a supervisor would. */
async function takeOver(args: string[]): Promise<{ command: CommandLine; refusals: string[] }> {
  const refusals: string[] = [];
  for (;;) {
    const command = start(...args);
    const refused = await Promise.race([
      command.line('resuming').then(() => null),
      command.ended.then(({ exitCode, stderr }) => `${exitCode}: ${stderr}`),
    ]);
    if (refused === null) return { command, refusals };
    refusals.push(refused);
  }
}

test('a stopped coordinator is replaced; when it wakes it writes nothing that counts, and ends', async () => {
  // Longer than it takes to start a command on a busy machine: the first to ask must find the lease fresh.
  const flags = ['--resume=auto', '--set', 'spec.operation.lease.seconds=15'];
  const control = (command: string) =>
    askControlSocket(join(run.folder, 'runs', 'stopped', 'control.sock'), JSON.stringify({ command }));
  const old = start(...train('stopped', ...flags));
  await old.line('checkpoint written');
  old.kill('SIGSTOP');
  const { command: next, refusals } = await takeOver(train('stopped', ...flags));
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals)
    expect(refusal).toContain(`73: fcaenet: runs/stopped is in use by process ${old.pid}`);
  await next.line('checkpoint written');
  await control('pause');
  old.kill('SIGCONT');
  const woken = await old.ended;
  expect([woken.exitCode, woken.stderr]).toEqual([
    1,
    expect.stringContaining('fcaenet: another coordinator has taken over runs/stopped'),
  ]);
  // Its farewell left the lock and the socket to its successor.
  expect(await askRun(run.folder, 'status', '--run', 'stopped')).toMatchObject({ term: 2 });
  await control('resume');
  expect((await next.ended).exitCode).toBe(0);
  expect(await hashes('stopped')).toEqual(undisturbed);
  const directory = RunDirectory.at(join(run.folder, 'runs', 'stopped'));
  expect(directory.terms.highest()).toBe(2);
  expect(directory.readResult()).toMatchObject({ term: 2 });
  expect(readEvents(directory).at(-1)).toMatchObject({ term: 2, type: 'run.finished' });
});

test.skipIf(natsMissing !== '')(
  `over NATS: events arrive in order, a server killed in mid-run loses none, control and lease work${natsMissing}`,
  async () => {
    const server = await NatsServer.start();
    onTestFinished(() => server.remove());
    const flags = ['--set', `spec.operation.nats.url=${server.url}`];
    const command = start(...train('streamed', ...flags));
    await command.line('checkpoint written');
    await askRun(run.folder, 'pause', '--run', 'streamed', '--nats', server.url);
    const elsewhere = ['--set', 'spec.operation.runsDirectory=elsewhere'];
    const second = await runCommandLine(train('streamed', ...flags, ...elsewhere), { cwd: run.folder });
    expect([second.exitCode, second.stderr]).toEqual([
      73,
      expect.stringContaining(`process ${command.pid} on `),
    ]);
    await server.kill();
    await askRun(run.folder, 'resume', '--run', 'streamed');
    await command.line('NATS connection lost; events are kept until it is back');
    await command.line('evaluated');
    await server.start();
    expect((await command.ended).exitCode).toBe(0);
    expect(await hashes('streamed')).toEqual(undisturbed);
    const written = readEvents(RunDirectory.at(join(run.folder, 'runs', 'streamed')));
    expect(written.at(-1)?.type).toBe('run.finished');
    expect(await streamedEvents(server.url)).toEqual(written);
  },
);

test.skipIf(natsMissing !== '')(
  `over NATS: a coordinator killed in mid-run goes on at once, and the stream has both terms’ events${natsMissing}`,
  async () => {
    const server = await NatsServer.start();
    onTestFinished(() => server.remove());
    const flags = ['--resume=auto', '--set', `spec.operation.nats.url=${server.url}`];
    const killed = start(...train('killed', ...flags));
    await killed.line('checkpoint written');
    killed.kill('SIGKILL');
    await killed.ended;
    expect((await runCommandLine(train('killed', ...flags), { cwd: run.folder })).exitCode).toBe(0);
    expect(await hashes('killed')).toEqual(undisturbed);
    const written = readEvents(RunDirectory.at(join(run.folder, 'runs', 'killed')));
    expect(new Set(written.map(({ term }) => term))).toEqual(new Set([1, 2]));
    expect(await streamedEvents(server.url)).toEqual(written);
  },
);
