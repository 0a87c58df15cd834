import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, type LogLine, runCommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

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
  expect(await again.ended).toEqual(withoutComplaint);
  for (const each of workers) {
    expect(await each.ended).toEqual(withoutComplaint);
    expect(each.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
    expect(each.lines.filter(({ message }) => message === 'reconnected')).toMatchObject([{ kept: true }]);
  }
  expect(await digests('crash')).toEqual(expected);
  // What workers logged meanwhile reaches the coordinator that came after, under their names.
  for (const name of ['a', 'b']) {
    const theirs = again.lines.filter(({ worker }) => String(worker).endsWith(`(${name})`));
    expect(theirs.find(said('the coordinator is gone; looking for it'))).toMatchObject({ level: 'warn' });
    expect(theirs.find(said('reconnected'))).toMatchObject({ level: 'info', fields: { kept: true } });
  }
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
  expect(await leaving.ended).toEqual(withoutComplaint);
  await waiting.line(
    'the coordinator is gone; looking for it',
    ({ reason }) => reason === 'it was interrupted',
  );
  expect((await coordinator('paused', port).ended).exitCode).toBe(0);
  expect(await waiting.ended).toEqual(withoutComplaint);
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
    /^fcaenet: the coordinator at 127\.0\.0\.1:\d+ is gone \(.+\) and did not come back within 2 s\.\n$/,
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
  expect(await leaves.ended).toEqual(withoutComplaint);
  expect(await run.line('worker left')).toMatchObject({ reason: 'it left: it was told to stop' });
  expect(await run.ended).toEqual(withoutComplaint);
  expect(await stays.ended).toEqual(withoutComplaint);
  expect(await digests('left')).toEqual(expected);
});

test('a cut without a word is noticed and heals: the newest stream of a worker is the member', async () => {
  const port = await freePort();
  const run = coordinator('cut', port);
  const { address } = await run.line('waiting for workers');
  const link = await TcpProxy.to(String(address));
  try {
    const [near, far] = [worker(port, 'near'), worker(link.port, 'far')];
    await run.line('worker joined', ({ worker }) => String(worker).endsWith('(far)'));
    link.pause();
    await far.line('the coordinator is gone; looking for it', ({ reason }) =>
      /^nothing came/.test(String(reason)),
    );
    // New connections pass; the old one stays as it was, silent.
    link.admitNew();
    await run.line('worker left', ({ reason }) => reason === 'it came back on a new stream');
    expect(await run.ended).toEqual(withoutComplaint);
    expect(await near.ended).toEqual(withoutComplaint);
    expect(await far.ended).toEqual(withoutComplaint);
    expect(far.lines.find(({ message }) => message === 'reconnected')).toMatchObject({ kept: true });
    expect(await digests('cut')).toEqual(expected);
  } finally {
    await link.close();
  }
}, 60_000);
