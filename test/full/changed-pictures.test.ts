import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ExitCode } from '../../src/errors.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { readEvents } from '../../src/transport/events/run-events.js';
import { joinTokenVariable } from '../../src/transport/join-token.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { HeldRun } from '../kit/held-run.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let expected: { weightsSha256: string; codesSha256: string };

const digests = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};
/** Each run has pictures of its own to be damaged, and decodes them each time. */
async function settingsFor(name: string): Promise<string[]> {
  await cp(join(small.folder, 'data'), join(small.folder, name), { recursive: true });
  return [
    `metadata.name=${name}`,
    `spec.dataset.path=${name}`,
    'spec.operation.cache.limitBytes=0',
    'spec.operation.membership.silenceSeconds=5',
  ].flatMap((setting) => ['--set', setting]);
}
const checkpointsOf = async (name: string) =>
  (await readdir(join(small.folder, 'runs', name, 'checkpoints'))).filter((entry) =>
    entry.startsWith('term'),
  );

beforeAll(async () => {
  small = await smallRun();
  const run = await runCommandLine(['train', small.runFile, '--workers', '1'], { cwd: small.folder });
  expect(run).toMatchObject({ exitCode: 0, stderr: '' });
  expected = await digests('small');
});
afterAll(() => small.remove());

test.concurrent('pictures replaced in mid-run, by others of as many bytes, end separate workers and then the run, which goes on when they are back', async () => {
  const settings = await settingsFor('replaced');
  const coordinator = new CommandLine(['coordinator', small.runFile, '--resume=auto', ...settings], {
    cwd: small.folder,
  });
  const { address } = await coordinator.line('waiting for workers');
  const flags = ['--data', 'replaced', '--cache', 'cache', '--cache-limit-bytes', '0'];
  const work = (to: unknown) =>
    new CommandLine(['worker', '--connect', String(to), ...flags], { cwd: small.folder });
  const workers = [work(address), work(address)];
  await coordinator.line('checkpoint written', ({ name }) => String(name).endsWith('2'));
  const images = join(small.folder, 'replaced', 'images');
  const originals = new Map<string, Buffer>();
  for (const entry of await readdir(images, { recursive: true })) {
    if (!entry.endsWith('.jpg')) continue;
    const file = join(images, entry);
    const original = await readFile(file);
    originals.set(file, original);
    await writeFile(`${file}.new`, Buffer.from(original).fill(original.at(-3)! ^ 1, original.length - 3));
    await rename(`${file}.new`, file);
  }
  for (const worker of workers) {
    const { exitCode, stderr } = await worker.ended;
    expect(stderr).toMatch(/^fcaenet: the image replaced\/images\/\S+\.jpg was replaced since [^\n]+\n$/);
    expect(exitCode).toBe(ExitCode.badData);
  }
  const { exitCode, stderr } = await coordinator.ended;
  expect(stderr).toMatch(
    /^fcaenet: no worker can use its pictures: the image replaced\/images\/\S+\.jpg was replaced since [^\n]+\n$/,
  );
  expect(exitCode).toBe(ExitCode.badData);
  const directory = RunDirectory.at(join(small.folder, 'runs', 'replaced'));
  expect(readEvents(directory).at(-1)).toMatchObject({ type: 'run.failed', code: 'COORDINATOR_NO_WORKERS' });
  expect(await checkpointsOf('replaced')).not.toEqual([]);

  const refused = await runCommandLine(['train', small.runFile, '--resume=auto', ...settings], {
    cwd: small.folder,
  });
  expect(refused.stderr).toMatch(
    /^fcaenet: checkpoint \S+ was trained on a dataset with fingerprint \S+, but replaced has \S+: [^\n]*pictures[^\n]*\n$/,
  );
  expect(refused.exitCode).toBe(ExitCode.badData);

  for (const [file, original] of originals) await writeFile(file, original);
  const again = await runCommandLine(['train', small.runFile, '--workers=1', '--resume=auto', ...settings], {
    cwd: small.folder,
  });
  expect(again).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await digests('replaced')).toEqual(expected);
});

test.concurrent('pictures deleted in mid-run end local workers and the run, which goes on when they are back', async () => {
  const settings = await settingsFor('deleted');
  const command = ['train', small.runFile, '--workers=2', '--resume=auto', ...settings];
  const run = new CommandLine(command, { cwd: small.folder });
  await run.line('checkpoint written', ({ name }) => String(name).endsWith('2'));
  const images = join(small.folder, 'deleted', 'images');
  await rm(images, { recursive: true });
  const { exitCode, stderr } = await run.ended;
  expect(stderr).toMatch(/^fcaenet: the image deleted\/images\/\S+\.jpg cannot be read \(ENOENT\)\.\n$/);
  expect(exitCode).toBe(ExitCode.missingInput);
  expect(await checkpointsOf('deleted')).not.toEqual([]);
  await cp(join(small.folder, 'data', 'images'), images, { recursive: true });
  expect(await runCommandLine(command, { cwd: small.folder })).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await digests('deleted')).toEqual(expected);
});

test.concurrent('workers from elsewhere go on without the local ones', async () => {
  const settings = await settingsFor('mixed');
  const options = { cwd: small.folder, env: { [joinTokenVariable]: 'a-token-of-both-kinds' } };
  const run = new CommandLine(['train', small.runFile, '--workers=1', ...settings], options);
  const held = await HeldRun.of(run, small.folder, 'mixed');
  const elsewhere = new CommandLine(
    ['worker', '--connect', held.address, '--data', 'data', '--cache', 'cache', '--name', 'elsewhere'],
    options,
  );
  await run.line('worker joined', ({ worker }) => String(worker).endsWith('(elsewhere)'));
  await rm(join(small.folder, 'mixed', 'images'), { recursive: true });
  await held.ask('resume');
  await run.line('local worker ended');
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await elsewhere.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await digests('mixed')).toEqual(expected);
});
