import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { HeldRun } from '../kit/held-run.js';
import { NetworkNamespace, whyNoNamespaces } from '../kit/network-namespace.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

/** 120 steps: more than pass while a request to hold the run is on its way. */
const longer = ['spec.schedule.iterations=30'];
const withoutComplaint = { exitCode: 0, signal: null, stderr: '' };

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};
const command = (kind: string, name: string) => [
  ...[kind, small.runFile, '--set', `metadata.name=${name}`],
  ...longer.flatMap((setting) => ['--set', setting]),
];
const worker = (address: string, name: string, within: readonly string[] = []) =>
  new CommandLine(['worker', '--connect', address, '--data', 'data', '--cache', 'cache', '--name', name], {
    cwd: small.folder,
    within,
  });
const joined = (run: CommandLine, name: string) =>
  run.line('worker joined', ({ worker }) => String(worker).endsWith(`(${name})`));

beforeAll(async () => {
  small = await smallRun();
  const { exitCode } = await runCommandLine([...command('train', 'alone'), '--workers', '2'], {
    cwd: small.folder,
  });
  expect(exitCode).toBe(0);
  expected = await digests('alone');
});
afterAll(() => small.remove());

test('a line that is cut without a word is given up, and the newest stream of its worker is the member', async () => {
  const run = new CommandLine(command('coordinator', 'cut'), { cwd: small.folder });
  const held = await HeldRun.of(run, small.folder, 'cut');
  const link = await TcpProxy.to(held.address);
  try {
    const [near, far] = [worker(held.address, 'near'), worker(`127.0.0.1:${link.port}`, 'far')];
    await Promise.all([joined(run, 'near'), joined(run, 'far')]);
    await held.advance(2);
    link.pause();
    // New connections pass; the old one stays as it is, silent.
    link.admitNew();
    await held.advance(2);
    await far.line('the coordinator is gone; reconnecting', ({ reason }) =>
      /^nothing came/.test(`${reason}`),
    );
    expect(await far.line('reconnected')).toMatchObject({ kept: true });
    await held.ask('resume');
    expect(await run.ended).toMatchObject(withoutComplaint);
    expect(await near.ended).toMatchObject(withoutComplaint);
    expect(await far.ended).toMatchObject(withoutComplaint);
    expect(await digests('cut')).toEqual(expected);
  } finally {
    await link.close();
  }
});

const missing = whyNoNamespaces();

describe.skipIf(missing !== null)(`three networks (${missing ?? 'this machine can'})`, () => {
  test('one of three workers is cut off by iptables for 20 s and let back: the same bits, with no hand', async () => {
    const networks = [0, 1, 2].map((index) => new NetworkNamespace(index));
    const cables: TcpProxy[] = [];
    try {
      const run = new CommandLine(command('coordinator', 'namespaces'), { cwd: small.folder });
      const held = await HeldRun.of(run, small.folder, 'namespaces');
      // The coordinator listens on loopback, which is another one in each network.
      for (const { outside } of networks) cables.push(await TcpProxy.to(held.address, outside));
      const workers = networks.map(({ within, outside }, index) =>
        worker(`${outside}:${cables[index]!.port}`, `network-${index}`, within),
      );
      await Promise.all(workers.map((_, index) => joined(run, `network-${index}`)));
      const before = await held.advance(2);
      networks[1]!.cut();
      const mended = sleep(20_000).then(() => networks[1]!.mend());
      // The first of these steps has handed microbatches to the worker that is cut off.
      const without = await held.advance(4);
      expect(without.globalStep).toBeGreaterThan(before.globalStep);
      expect(workers[1]!.lines.filter(({ message }) => message === 'reconnected')).toEqual([]);
      await mended;
      expect(await workers[1]!.line('reconnected')).toMatchObject({ kept: true });
      await held.advance(2);
      // From here on there is nobody else: what is computed, the one computes that was cut off.
      for (const index of [0, 2]) workers[index]!.kill('SIGTERM');
      for (const index of [0, 2]) expect(await workers[index]!.ended).toMatchObject(withoutComplaint);
      await held.ask('resume');
      expect(await run.ended).toMatchObject(withoutComplaint);
      expect(await workers[1]!.ended).toMatchObject(withoutComplaint);
      expect(workers[1]!.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
      expect(await digests('namespaces')).toEqual(expected);
    } finally {
      for (const cable of cables) await cable.close();
      for (const network of networks) network.remove();
    }
  });
});
