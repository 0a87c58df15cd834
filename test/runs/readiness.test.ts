import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CommandLine } from '../kit/command-line.js';
import { HeldRun } from '../kit/held-run.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

test('/readyz says how many workers are missing, and since when', async () => {
  const settings = [
    'metadata.name=awaited',
    'spec.operation.membership.minWorkers=2',
    'spec.operation.metrics=127.0.0.1:0',
  ];
  const run = new CommandLine(
    ['coordinator', small.runFile, ...settings.flatMap((setting) => ['--set', setting])],
    { cwd: small.folder },
  );
  const { url } = await run.line('metrics');
  const held = await HeldRun.of(run, small.folder, 'awaited');
  const readiness = async () => {
    const answer = await fetch(String(url).replace('/metrics', '/readyz'));
    return `${answer.status} ${await answer.text()}`;
  };
  const waiting = (present: number) =>
    expect.stringMatching(
      new RegExp(`^503 ${present} of 2 workers; waiting since \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\n$`),
    );
  const worker = (name: string) =>
    new CommandLine(
      ['worker', '--connect', held.address, '--data', 'data', '--cache', 'cache', '--name', name],
      { cwd: small.folder },
    );
  const becomes = (expected: unknown) =>
    vi.waitFor(async () => expect(await readiness()).toEqual(expected), { timeout: 60_000, interval: 100 });

  expect(await readiness()).toEqual(waiting(0));
  const first = worker('first');
  await becomes(waiting(1));
  const second = worker('second');
  await becomes('200 ready\n');
  second.kill('SIGKILL');
  await becomes(waiting(1));
  run.kill('SIGTERM');
  expect((await run.ended).exitCode).toBe(75);
  first.kill('SIGTERM');
  expect((await first.ended).exitCode).toBe(0);
});
