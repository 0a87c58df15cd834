import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { ConnectProxy, proxyVariables } from '../kit/connect-proxy.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let proxy: ConnectProxy;
const set = (...all: string[]) => all.flatMap((setting) => ['--set', setting]);
const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
/** What a machine of a company sets for every process. */
const environment = () => ({ cwd: small.folder, env: proxyVariables(proxy.address) });
const worker = (address: unknown, ...flags: string[]) =>
  new CommandLine(
    ['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache', ...flags],
    environment(),
  );

beforeAll(async () => {
  small = await smallRun();
  proxy = await ConnectProxy.open({ 'coordinator.example:7400': null });
});
afterAll(async () => {
  proxy.close();
  await small.remove();
});

test('local workers dial directly, whatever proxy the environment names', async () => {
  const args = ['train', small.runFile, '--workers', '1', ...set('metadata.name=local', ...short)];
  expect(await runCommandLine(args, environment())).toMatchObject({ exitCode: 0, stderr: '' });
  expect(proxy.asked).toEqual([]);
}, 240_000);

test('workers elsewhere dial directly too, and through the proxy that --proxy names', async () => {
  const made = await runCommandLine(['certs', 'make', 'certs'], environment());
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  const files = (holder: string) => ({
    certificate: `certs/${holder}/tls.crt`,
    key: `certs/${holder}/tls.key`,
    authority: `certs/${holder}/ca.crt`,
  });
  const tls = Object.entries(files('coordinator')).map(
    ([name, file]) => `spec.operation.tls.${name}=${file}`,
  );
  const flags = Object.entries(files('worker')).flatMap(([name, file]) => [`--tls-${name}`, file]);
  const args = [
    ...['coordinator', small.runFile],
    ...set('metadata.name=elsewhere', 'spec.operation.membership.minWorkers=2', ...short, ...tls),
  ];
  const coordinator = new CommandLine(args, environment());
  const { address } = await coordinator.line('waiting for workers');
  const direct = worker(address, ...flags);
  await coordinator.line('worker joined');
  expect(proxy.asked).toEqual([]);
  const led = worker(address, ...flags, '--proxy', proxy.address);
  const endings = await Promise.all([coordinator, direct, led].map(({ ended }) => ended));
  expect(endings.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(Array(3).fill([0, '']));
  expect(new Set(proxy.asked)).toEqual(new Set([address]));
}, 240_000);

test('a proxy that does not lead to the coordinator is to blame, and named', async () => {
  const flags = ['--proxy', proxy.address, '--connect-timeout', '1'];
  const { exitCode, stderr } = await worker('coordinator.example:7400', ...flags).ended;
  expect(stderr).toBe(
    `fcaenet: no coordinator answered at coordinator.example:7400 within 1 s: the proxy ${proxy.address} does not connect to it: it answered 403.\n`,
  );
  expect(exitCode).toBe(69);
}, 240_000);
