import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { NetworkNamespace, whyNoNamespaces } from '../kit/network-namespace.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { TcpProxy } from '../kit/tcp-proxy.js';

/** Long enough for a network to be away for twenty seconds in the middle, while the others go on without it. */
const longer = [
  'spec.schedule.iterations=100',
  'spec.schedule.epochs=5',
  'spec.operation.checkpoint.everySteps=200',
];
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
  const address = String((await run.line('waiting for workers')).address);
  const link = await TcpProxy.to(address);
  try {
    const [near, far] = [worker(address, 'near'), worker(`127.0.0.1:${link.port}`, 'far')];
    await Promise.all([joined(run, 'near'), joined(run, 'far')]);
    link.pause();
    // New connections pass; the old one stays as it is, silent.
    link.admitNew();
    await far.line('the coordinator is gone; looking for it', ({ reason }) =>
      /^nothing came/.test(`${reason}`),
    );
    expect(await far.line('reconnected')).toMatchObject({ kept: true });
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
      const address = String((await run.line('waiting for workers')).address);
      // The coordinator listens on loopback, which is another one in each network.
      for (const { outside } of networks) cables.push(await TcpProxy.to(address, outside));
      const workers = networks.map(({ within, outside }, index) =>
        worker(`${outside}:${cables[index]!.port}`, `network-${index}`, within),
      );
      await Promise.all(workers.map((_, index) => joined(run, `network-${index}`)));
      networks[1]!.cut();
      await sleep(20_000);
      networks[1]!.mend();
      expect(await workers[1]!.line('reconnected')).toMatchObject({ kept: true });
      expect(await run.ended).toMatchObject(withoutComplaint);
      for (const each of workers) expect(await each.ended).toMatchObject(withoutComplaint);
      expect(workers[1]!.lines.filter(({ message }) => message === 'engine ready')).toHaveLength(1);
      expect(await digests('namespaces')).toEqual(expected);
    } finally {
      for (const cable of cables) await cable.close();
      for (const network of networks) network.remove();
    }
  });
});
