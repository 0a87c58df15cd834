import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { cgroupsMissing, LimitedGroup } from '../kit/cgroup.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const withOpenFiles = (limit: number) => ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh'];

test.each([
  [32, ['train', 'run.yaml', '--workers', '1']],
  [64, ['train', 'run.yaml', '--workers', '1']],
  [64, ['coordinator', 'run.yaml']],
  [64, ['worker', '--connect', '127.0.0.1:1', '--data', 'data']],
])('with %i open files allowed, %j says how many it needs', async (limit, args) => {
  const { exitCode, stderr } = await runCommandLine(args, {
    cwd: small.folder,
    within: withOpenFiles(limit),
  });
  expect([exitCode, stderr]).toEqual([
    78,
    `fcaenet: this program needs 256 open files at the same time, but this process may open ${limit}; \`ulimit -n 1024\` allows more.\n`,
  ]);
});

test.each([
  [1, ['train', 'run.yaml', '--workers', '1'], 'this program needs 2 GiB'],
  [24, ['train', 'run.yaml', '--workers', '1'], 'a coordinator needs 54 GiB'],
  [43, ['worker', '--connect', '127.0.0.1:1', '--data', 'data'], 'a worker needs 44 GiB'],
])('with %i GiB of address space allowed, %j says how much it needs', async (limit, args, sentence) => {
  const { exitCode, stderr } = await runCommandLine(args, {
    cwd: small.folder,
    within: ['sh', '-c', `ulimit -v ${limit * 2 ** 20}; exec "$@"`, 'sh'],
  });
  expect([exitCode, stderr]).toEqual([
    78,
    `fcaenet: ${sentence} of address space, which takes no memory, but this process may use ${limit} GiB; \`ulimit -v unlimited\` allows more.\n`,
  ]);
});

test('a run says how many open files it needs, and ends well with so many', async () => {
  const short = ['spec.schedule.iterations=1', 'spec.schedule.decayAfter=[]'];
  const flags = short.flatMap((setting) => ['--set', setting]);
  const train = (limit: number) =>
    runCommandLine(['train', 'run.yaml', '--workers', '2', '--resume=auto', ...flags], {
      cwd: small.folder,
      within: withOpenFiles(limit),
    });
  // 256 to begin with, 8 for each local worker, 4 for each of the 64 that may join.
  expect(await train(527)).toMatchObject({
    exitCode: 78,
    stderr: expect.stringMatching(
      /^fcaenet: a run of up to 64 workers needs 528 open files at the same time, [^\n]* 527; /,
    ),
  });
  expect(await train(528)).toMatchObject({ exitCode: 0, stderr: '' });
});

test.skipIf(cgroupsMissing !== '')(
  `a run starts as many workers as its quota has processors, with heaps that fit its memory${cgroupsMissing}`,
  async () => {
    const group = new LimitedGroup({ processors: 1, memoryBytes: 2 ** 31 });
    const settings = ['metadata.name=bounded', 'spec.operation.workers=auto'];
    const args = ['train', 'run.yaml', ...settings.flatMap((setting) => ['--set', setting])];
    const run = new CommandLine(args, { cwd: small.folder, within: group.within });
    onTestFinished(() => {
      run.kill('SIGKILL');
      return vi.waitFor(() => group.remove(), { timeout: 60_000 });
    });
    const { localWorkers } = await run.line('waiting for workers');
    expect(localWorkers).toBe(1);
    await run.line('worker joined');
    const flagsOf = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const [worker] = readFileSync(`/proc/${run.pid}/task/${run.pid}/children`, 'utf8').split(' ');
    expect(flagsOf(worker!)).toContain('--max-old-space-size=1024');
    if ('execve' in process) expect(flagsOf(String(run.pid))).toContain('--max-old-space-size=1024');
    run.kill('SIGTERM');
    expect((await run.ended).exitCode).toBe(75);
  },
);
