import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { childrenOf, digestsOf, settingsOf, trainedAlone } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const env = { FCAENET_JOIN_TOKEN: 'a-token-of-this-very-test' };

/** `train` with two local workers, at a port that others know. */
const train = (port: number, flags: readonly string[]) =>
  new CommandLine(
    [
      ...['train', small.runFile, '--workers', '2', ...flags],
      ...['--set', `spec.operation.listen=127.0.0.1:${port}`],
    ],
    { cwd: small.folder, env },
  );

const elsewhere = (port: number, name: string) =>
  new CommandLine(
    ['worker', '--connect', `127.0.0.1:${port}`, '--data', 'data', '--cache', 'cache', '--name', name],
    { cwd: small.folder, env },
  );

const joinedIn = ({ lines }: CommandLine) =>
  lines.flatMap(({ message, worker }) => (message === 'worker joined' ? [`${worker}`.split(/[()]/)[1]] : []));

async function endWell(commands: readonly CommandLine[]): Promise<void> {
  const endings = await Promise.all(commands.map(({ ended }) => ended));
  expect(endings).toMatchObject(commands.map(() => ({ exitCode: 0, stderr: '' })));
}

test('the workers of train are one worker among others, and a lost device and an interruption leave the bits', async () => {
  const expected = await trainedAlone(small, 'one', 4);
  const port = await freePort();
  const settings = settingsOf('together', 4, ['spec.operation.membership.minWorkers=2']);
  const first = train(port, settings);
  const other = elsewhere(port, 'elsewhere');
  const tooFew = 'this command starts only 1 worker of 2 processes, but the run waits until 2 have joined';
  expect(await first.line(tooFew)).toMatchObject({ remedy: 'start the others with npx fcaenet worker' });
  await first.line('workers exchange gradients among themselves');
  const [hub] = childrenOf(first.pid);
  process.kill(childrenOf(hub!)[0]!, 'SIGKILL');
  await first.line('worker log', ({ said }) => said === 'worker left');
  await first.line('checkpoint written', ({ name }) => Number(`${name}`.slice(-10)) >= 3);
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  expect(childrenOf(hub!)).toEqual([]);
  const second = train(port, ['--resume', ...settings]);
  await endWell([second, other]);
  expect(await digestsOf(small, 'together')).toEqual(expected);
  expect(joinedIn(second).sort()).toEqual(['elsewhere', 'local-0']);
  await second.line('workers exchange gradients among themselves');
}, 240_000);

test('in bfloat16 exchange and star give the same bits, and the exchange sends the weights once', async () => {
  const bfloat16 = ['spec.wire.precision=bfloat16', 'spec.operation.verification.rate=0'];
  const run = async (name: string, others: number, settings: readonly string[]) => {
    const port = await freePort();
    const leading = train(port, settingsOf(name, 1, [...bfloat16, ...settings]));
    const workers = Array.from({ length: others }, (_, place) => elsewhere(port, `elsewhere-${place}`));
    await endWell([leading, ...workers]);
    return { leading, digests: await digestsOf(small, name), traffic: (await small.result(name)).traffic };
  };
  const exchanged = await run('exchanged', 2, ['spec.operation.membership.minWorkers=3']);
  const star = await run('star', 2, [
    'spec.operation.membership.minWorkers=4',
    'spec.operation.exchange=off',
  ]);
  expect(joinedIn(exchanged.leading).sort()).toEqual(['elsewhere-0', 'elsewhere-1', 'local-0']);
  expect(joinedIn(star.leading).sort()).toEqual(['elsewhere-0', 'elsewhere-1', 'local-0', 'local-1']);
  expect(exchanged.digests).toEqual(star.digests);
  // One set of weights in a step instead of four; some bytes do not depend on the way.
  expect(exchanged.traffic.sentBytes).toBeLessThan(0.65 * star.traffic.sentBytes);
}, 240_000);

test('no worker is left behind', () => {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(all.split('\n').filter((line) => line.includes(small.folder))).toEqual([]);
});
