import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
const tls = (holder: string) => ({
  certificate: `certs/${holder}/tls.crt`,
  key: `certs/${holder}/tls.key`,
  authority: `certs/${holder}/ca.crt`,
});
const settings = Object.entries(tls('coordinator')).map(
  ([name, file]) => `spec.operation.tls.${name}=${file}`,
);
const set = (...all: string[]) => all.flatMap((setting) => ['--set', setting]);
const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};
// One iteration: what is shown here does not grow with the run.
const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];

beforeAll(async () => {
  small = await smallRun();
  const made = await runCommandLine(['certs', 'make', 'certs', '--name', 'coordinator.example'], {
    cwd: small.folder,
  });
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
});
afterAll(() => small.remove());

test('two workers over TLS with a token give the bits of plain text; others are turned away', async () => {
  const cwd = small.folder;
  const plain = await runCommandLine(
    ['train', small.runFile, '--workers', '1', ...set('metadata.name=plain', ...short)],
    { cwd },
  );
  expect(plain).toMatchObject({ exitCode: 0, stderr: '' });

  const coordinator = new CommandLine(
    [
      ...['coordinator', small.runFile, '--join-token-file', 'certs/join-token'],
      ...set('metadata.name=tls', ...short, ...settings),
    ],
    { cwd },
  );
  const { address } = await coordinator.line('waiting for workers');
  const { certificate, key, authority } = tls('worker');
  const worker = (...flags: string[]) =>
    new CommandLine(
      [
        ...['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'],
        ...['--tls-certificate', certificate, '--tls-key', key, '--tls-authority', authority, ...flags],
      ],
      { cwd },
    );
  await writeFile(join(cwd, 'other-token'), 'another-run-another-token');
  const stranger = await worker('--join-token-file', 'other-token').ended;
  expect(stranger.stderr).toBe(
    "fcaenet: the coordinator refused this worker: the worker's join token is wrong: it must be the run's.\n",
  );
  const workers = [1, 2].map(() => worker('--join-token-file', 'certs/join-token'));
  const endings = await Promise.all([coordinator, ...workers].map(({ ended }) => ended));
  expect(endings.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual([
    [0, ''],
    [0, ''],
    [0, ''],
  ]);
  expect(coordinator.lines).toContainEqual(
    expect.objectContaining({ message: 'connection refused', code: 'JOIN_TOKEN_WRONG' }),
  );
  expect(await digests('tls')).toEqual(await digests('plain'));
}, 240_000);

test('certificates of another authority: who was connected before says at once why it cannot come back', async () => {
  const cwd = small.folder;
  expect(await runCommandLine(['certs', 'make', 'rotated'], { cwd })).toMatchObject({ exitCode: 0 });
  const listen = `spec.operation.listen=127.0.0.1:${await freePort()}`;
  const coordinator = (...files: string[]) =>
    new CommandLine(
      [
        ...['coordinator', small.runFile, '--resume=auto', '--join-token-file', 'certs/join-token'],
        ...set('metadata.name=rotated', listen, ...files),
      ],
      { cwd },
    );
  const first = coordinator(...settings);
  const { address } = await first.line('waiting for workers');
  const { certificate, key, authority } = tls('worker');
  const worker = new CommandLine(
    [
      ...['worker', '--connect', String(address), '--data', 'data', '--cache', 'cache'],
      ...['--tls-certificate', certificate, '--tls-key', key, '--tls-authority', authority],
      ...['--join-token-file', 'certs/join-token'],
    ],
    { cwd },
  );
  await first.line('checkpoint written');
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  const second = coordinator(...settings.map((each) => each.replace('certs/', 'rotated/')));
  const reason = "the coordinator's certificate was not issued by the authority in --tls-authority";
  await worker.line('no coordinator answered; retrying', (line) => line.reason === reason);
  expect(await second.line('connection refused')).toMatchObject({
    code: 'UNTRUSTED_CERTIFICATE',
    reason: expect.stringMatching(/^it closed after it had received this coordinator's certificate, /),
  });
  for (const each of [worker, second]) each.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ exitCode: 0 });
  expect(await second.ended).toMatchObject({ exitCode: 75 });
}, 240_000);

test('the local workers of train speak TLS and show their run’s token, which is in no file and no line', async () => {
  const run = new CommandLine(
    ['train', small.runFile, '--workers', '1', ...set('metadata.name=local', ...short, ...settings)],
    { cwd: small.folder, env: { FCAENET_JOIN_TOKEN: 'a-token-of-this-very-test' } },
  );
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(JSON.stringify(run.lines)).not.toContain('a-token-of-this-very-test');
  const folder = join(small.folder, 'runs', 'local');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  expect(files.map(({ name }) => name)).toContain('run.yaml');
  for (const { parentPath, name } of files) {
    expect((await readFile(join(parentPath, name))).includes('a-token-of-this-very-test')).toBe(false);
  }
}, 240_000);
