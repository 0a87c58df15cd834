import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates, tlsFilesIn } from '../../src/transport/certificates.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};

/** A run of one iteration. */
const settingsOf = (name: string, settings: readonly string[]) =>
  [`metadata.name=${name}`, 'spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]', ...settings].flatMap(
    (setting) => ['--set', setting],
  );

beforeAll(async () => {
  small = await smallRun();
  const train = ['train', small.runFile, '--workers', '1', ...settingsOf('one', [])];
  const { exitCode, stderr } = await runCommandLine(train, { cwd: small.folder });
  expect([exitCode, stderr]).toEqual([0, '']);
  expected = await digests('one');
  await makeCertificates({ directory: join(small.folder, 'certs'), names: [], days: 1, nowMs: Date.now() });
});
afterAll(() => small.remove());

/** Runs a coordinator and workers that join it. */
async function run(
  name: string,
  workers: number,
  settings: readonly string[],
  flags: readonly string[] = [],
  /** More flags of each worker. */
  flagsOf: (place: number) => readonly string[] = () => [],
) {
  const coordinator = new CommandLine(
    [
      'coordinator',
      small.runFile,
      ...settingsOf(name, [`spec.operation.membership.minWorkers=${workers}`, ...settings]),
      ...(flags.length > 0 ? ['--join-token-file', 'certs/join-token'] : []),
    ],
    { cwd: small.folder },
  );
  const { address } = await coordinator.line('waiting for workers');
  const joined = Array.from(
    { length: workers },
    (_, place) =>
      new CommandLine(
        [
          ...['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'],
          ...['--name', `w${place}`, ...flags, ...flagsOf(place)],
        ],
        { cwd: small.folder },
      ),
  );
  return { coordinator, workers: joined, all: [coordinator, ...joined] };
}

const reaches = 'the coordinator reaches a worker again';
const cannotReach = 'the coordinator cannot reach a worker; its ranges go over its own connection';
const saysOf = ({ coordinator }: Awaited<ReturnType<typeof run>>, message: string) =>
  coordinator.lines.filter((line) => line.message === message);

async function endOf({ all }: Awaited<ReturnType<typeof run>>): Promise<void> {
  const endings = await Promise.all(all.map(({ ended }) => ended));
  expect(endings.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(all.map(() => [0, '']));
}

describe('workers that exchange gradients give the bits of one worker', () => {
  test('in plain text', async () => {
    const started = await run('plain', 3, []);
    await endOf(started);
    expect(await digests('plain')).toEqual(expected);
    expect(saysOf(started, cannotReach)).toEqual([]);
    await started.coordinator.line('workers exchange gradients among themselves');
  });

  test('with TLS', async () => {
    const tls = (holder: 'coordinator' | 'worker') => Object.entries(tlsFilesIn('certs', holder));
    const settings = tls('coordinator').map(([kind, file]) => `spec.operation.tls.${kind}=${file}`);
    const flags = tls('worker').flatMap(([kind, file]) => [`--tls-${kind}`, file]);
    const started = await run('tls', 2, settings, [...flags, '--join-token-file', 'certs/join-token']);
    await endOf(started);
    expect(await digests('tls')).toEqual(expected);
    expect(saysOf(started, cannotReach)).toEqual([]);
    await started.coordinator.line('workers exchange gradients among themselves');
  });

  test('with gradients that are clipped', async () => {
    // Some gradients of this run are longer: its bits are others than without the bound.
    const clipped = ['spec.optimizer.maxGradientNorm=20'];
    const train = ['train', small.runFile, '--workers', '1', ...settingsOf('clipped-one', clipped)];
    const { exitCode, stderr } = await runCommandLine(train, { cwd: small.folder });
    expect([exitCode, stderr]).toEqual([0, '']);
    const started = await run('clipped', 2, clipped);
    await endOf(started);
    expect(await digests('clipped')).toEqual(await digests('clipped-one'));
    expect(await digests('clipped')).not.toEqual(expected);
    await started.coordinator.line('workers exchange gradients among themselves');
  });

  test('when one of them is killed', async () => {
    const started = await run('killed', 3, ['spec.operation.membership.minWorkers=2']);
    await started.coordinator.line('workers exchange gradients among themselves');
    started.workers[0]!.kill('SIGKILL');
    const { exitCode, stderr } = await started.coordinator.ended;
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(await digests('killed')).toEqual(expected);
  });

  test('when all connections to one of them break again and again', async () => {
    const port = await freePort();
    const proxy = await TcpProxy.to(`127.0.0.1:${port}`);
    try {
      const flags = [`--peer-listen=127.0.0.1:${port}`, `--advertise=127.0.0.1:${proxy.port}`];
      const started = await run('broken', 3, [], [], (place) => (place === 0 ? flags : []));
      await started.coordinator.line('workers exchange gradients among themselves');
      proxy.cut();
      const breaking = setInterval(() => proxy.cut(), 100);
      await endOf(started);
      clearInterval(breaking);
      expect(await digests('broken')).toEqual(expected);
      const broken = 'a worker cannot reach another; what is for it goes through the coordinator';
      expect(saysOf(started, broken).map(({ peer }) => peer)).toContainEqual(expect.stringContaining('(w0)'));
    } finally {
      await proxy.close();
    }
  });

  test('when the coordinator cannot reach one of them', async () => {
    const flags = ['--advertise=127.0.0.1:1'];
    const started = await run('unreached', 2, [], [], (place) => (place === 0 ? flags : []));
    await endOf(started);
    expect(await digests('unreached')).toEqual(expected);
    expect(saysOf(started, cannotReach)).toMatchObject([{ reason: expect.stringContaining('ECONNREFUSED') }]);
    expect(saysOf(started, reaches)).toEqual([]);
  });
});
