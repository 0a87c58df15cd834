import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommandLine } from '../kit/command-line.js';
import { FakeMachine, fakeUuid } from '../kit/fake-machine.js';
import { settingsOf, startRun } from '../kit/hubs.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/** A driver of two GPUs that are not there; the workers compute with the engine that is installed. */
const machine = new FakeMachine({ gpus: [{}, {}] });
let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(async () => {
  await small.remove();
  machine.remove();
});

test('worker --devices all is one worker of the run, with the traffic of one', async () => {
  const run = async (name: string, ...flags: string[]) => {
    const { coordinator, workers } = await startRun(small, settingsOf(name, 3), [flags], machine.environment);
    const [hub] = workers;
    expect(await coordinator.ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await hub!.ended).toMatchObject({ exitCode: 0, stderr: '' });
    return { coordinator, hub: hub!, result: await small.result(name) };
  };
  const alone = await run('alone');
  const { coordinator, hub, result } = await run('rack', '--devices', 'all', '--name', 'rack-3');
  expect(
    coordinator.lines.flatMap(({ message, worker }) => (message === 'worker joined' ? [worker] : [])),
  ).toEqual(['worker 0 (rack-3)']);
  for (const place of [0, 1]) {
    await coordinator.line(
      'worker log',
      ({ said, fields }) =>
        said === 'worker joined' &&
        `${(fields as { worker: string }).worker}`.endsWith(`(local-${place}-gpu-${place})`),
    );
  }
  expect(hub.lines.find(({ message }) => message === 'devices chosen')?.devices).toEqual([
    `GPU 0 (NVIDIA A100-SXM4-80GB, ${fakeUuid(0)})`,
    `GPU 1 (NVIDIA A100-SXM4-80GB, ${fakeUuid(1)})`,
  ]);
  expect(result.weightsSha256).toBe(alone.result.weightsSha256);
  // What is left is lines of the log, heartbeats and digests of microbatches.
  const { receivedBytes, sentBytes } = alone.result.traffic;
  expect(result.traffic.receivedBytes).toBeLessThan(1.01 * receivedBytes);
  expect(result.traffic.sentBytes).toBeLessThan(1.01 * sentBytes);
});

test('a signal makes the worker leave with its processes, and an expected restart has its exit code', async () => {
  const {
    coordinator,
    workers: [hub],
  } = await startRun(
    small,
    settingsOf('left', 1),
    [['--devices', '1,0', '--expect-restart']],
    machine.environment,
  );
  const starts = ({ device }: Record<string, unknown>) => `${device}`.startsWith('GPU 0');
  await hub!.line('worker started on a GPU', starts);
  hub!.kill('SIGTERM');
  const { exitCode, stderr } = await hub!.ended;
  expect([exitCode, stderr]).toEqual([
    75,
    'fcaenet: this worker was told to leave before the run was over; another one may take its place.\n',
  ]);
  coordinator.kill('SIGTERM');
  await coordinator.ended;
});

test('when no process is left, the worker ends with the last one’s words and code', async () => {
  const {
    coordinator,
    workers: [hub],
  } = await startRun(
    small,
    settingsOf('none', 1, ['spec.operation.membership.deviceModels=[H100]']),
    [['--devices', 'all']],
    machine.environment,
  );
  const { exitCode, stderr } = await hub!.ended;
  // WORKER_DEVICES
  expect(stderr).toMatch(
    /^fcaenet: no process of this worker is left, expected one: the coordinator refused this worker: this worker computes on no GPU, but spec\.operation\.membership\.deviceModels takes only H100\.\n$/,
  );
  expect(exitCode).toBe(78);
  coordinator.kill('SIGTERM');
  await coordinator.ended;
});

test('devices that are not there are refused with those that are', async () => {
  const { exitCode, stderr } = await runCommandLine(
    ['worker', '--connect', '127.0.0.1:9', '--data', 'data', '--devices', '0,5'],
    { cwd: small.folder, env: machine.environment },
  );
  expect(exitCode).toBe(78);
  expect(stderr).toBe(
    `fcaenet: device "5" must be one of this machine's GPUs: 0 (${fakeUuid(0)}), 1 (${fakeUuid(1)}).\n`,
  );
});

test('no worker is left behind', () => {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(all.split('\n').filter((line) => line.includes(small.folder))).toEqual([]);
});
