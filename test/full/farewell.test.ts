import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { CommandLine } from '../kit/command-line.js';
import { freePort } from '../kit/free-port.js';
import { HeldRun } from '../kit/held-run.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';
import { mountVolume, volumesMissing } from '../kit/watched-run.js';

const limitMs = 300_000;
/** One iteration: what is shown here does not grow with the run. */
const short = ['--set', 'spec.schedule.iterations=1', '--set', 'spec.schedule.decayAfter=[]'];
let small: SmallRun;

const coordinator = (name: string, port: number, ...flags: string[]) =>
  new CommandLine(
    [
      ...['coordinator', small.runFile, '--resume=auto', '--set', `metadata.name=${name}`],
      ...['--set', `spec.operation.listen=127.0.0.1:${port}`, ...flags],
    ],
    { cwd: small.folder },
  );
/** A worker of Kubernetes: it looks for its coordinator for as long as it takes. */
const worker = (port: number, name: string) =>
  new CommandLine(
    [
      ...['worker', '--connect', `127.0.0.1:${port}`, '--data', 'data', '--cache', 'cache', '--name', name],
      ...['--expect-restart', '--connect-timeout', '3600', '--reconnect-timeout', '3600'],
    ],
    { cwd: small.folder },
  );
const withoutComplaint = { exitCode: 0, signal: null, stderr: '' };
const goodbye = 'the run is over; telling workers that still try to connect';

beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test('workers of a finished run that is started again end, also those that know it from before', {
  timeout: limitMs,
}, async () => {
  const [port, elsewhere] = [await freePort(), await freePort()];
  const first = coordinator('again', port, ...short);
  const known = worker(port, 'known');
  await first.line('checkpoint written');
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  await known.line('the coordinator is gone; reconnecting');
  // The run ends where that worker does not look.
  const second = coordinator('again', elsewhere, ...short);
  const helper = worker(elsewhere, 'helper');
  expect(await second.ended).toMatchObject(withoutComplaint);
  expect(await helper.ended).toMatchObject(withoutComplaint);
  const fresh = worker(port, 'fresh');
  await fresh.line('no coordinator answered; retrying');
  const third = coordinator('again', port, ...short);
  expect(await third.line(goodbye)).toMatchObject({ seconds: 15, reason: 'it has finished' });
  expect(await known.ended).toMatchObject(withoutComplaint);
  expect(await fresh.ended).toMatchObject(withoutComplaint);
  third.kill('SIGTERM');
  expect(await third.ended).toMatchObject(withoutComplaint);
  expect(third.lines.filter(({ message }) => message === 'told a worker that the run is over')).toMatchObject(
    [
      { worker: expect.stringMatching(/^(known|fresh)$/) },
      { worker: expect.stringMatching(/^(known|fresh)$/) },
    ],
  );
});

test('a run that has just finished tells those that come late, where it is told to', {
  timeout: limitMs,
}, async () => {
  const port = await freePort();
  const run = coordinator('late', port, '--farewell', '3600', ...short);
  const prompt = worker(port, 'prompt');
  expect(await prompt.ended).toMatchObject(withoutComplaint);
  await run.line('run finished');
  await run.line(goodbye);
  expect(await worker(port, 'late').ended).toMatchObject(withoutComplaint);
  run.kill('SIGTERM');
  expect(await run.ended).toMatchObject(withoutComplaint);
});

test('a coordinator whose input is bad sends home who never had another', { timeout: limitMs }, async () => {
  const port = await freePort();
  const run = coordinator('bad', port, '--farewell', '3600', '--set', 'spec.dataset.path=nowhere');
  expect(await run.line(goodbye)).toMatchObject({ failed: true, seconds: 3600 });
  const { exitCode, stderr } = await worker(port, 'w').ended;
  expect(stderr).toMatch(
    /^fcaenet: the run has failed permanently: the dataset folder nowhere does not exist: /,
  );
  expect(exitCode).toBe(69);
  run.kill('SIGTERM');
  expect(await run.ended).toMatchObject({
    exitCode: 66,
    stderr: expect.stringMatching(/^fcaenet: the dataset folder nowhere does not exist: /),
  });
});

test('a coordinator that cannot go on sends home those that wait for it', { timeout: limitMs }, async () => {
  const port = await freePort();
  const first = coordinator('broken', port);
  const waiting = worker(port, 'waiting');
  await first.line('checkpoint written');
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  await waiting.line('the coordinator is gone; reconnecting');
  const folder = join(small.folder, 'runs', 'broken', 'checkpoints');
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) truncateSync(join(entry.parentPath, entry.name), 3);
  }
  const second = coordinator('broken', port, '--farewell', '3600');
  const { exitCode, stderr } = await waiting.ended;
  expect(stderr).toMatch(/^fcaenet: the run has failed permanently: .*checkpoint.*\n$/);
  expect(exitCode).toBe(69);
  second.kill('SIGTERM');
  expect(await second.ended).toMatchObject({ exitCode: 65 });
});

test.skipIf(volumesMissing !== '')(
  `a run that fails for good sends its workers home at once${volumesMissing}`,
  { timeout: limitMs },
  async () => {
    const port = await freePort();
    const volume = join(small.folder, 'volume');
    mkdirSync(volume);
    mountVolume(volume);
    onTestFinished(() => void execFileSync('umount', ['--lazy', volume]));
    const settings = ['runsDirectory=volume', 'checkpoint.everySteps=null', 'checkpoint.everyIterations=100'];
    const run = coordinator('full', port, ...settings.flatMap((each) => ['--set', `spec.operation.${each}`]));
    await run.line('waiting for workers');
    const held = await HeldRun.attach(run, small.folder, 'full', 'volume');
    await held.ask('pause');
    const member = worker(port, 'member');
    await run.line('worker joined');
    const { bavail, bsize } = statfsSync(volume);
    writeFileSync(join(volume, 'filler'), Buffer.alloc(bavail * bsize));
    await held.ask('resume');
    expect(await member.ended).toMatchObject({
      exitCode: 69,
      stderr: expect.stringMatching(
        /^fcaenet: the run has failed permanently: the ledger .* cannot be written \(ENOSPC\)\.\n$/,
      ),
    });
    expect(await run.ended).toMatchObject({ exitCode: 74 });
  },
);
