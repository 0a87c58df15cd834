import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allowedProcessors } from '../../src/machine/devices/processor-shares.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { FakeMachine, fakeUuid } from '../kit/fake-machine.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

/**
 * A driver of eight GPUs that are not there: a program on PATH. The workers compute with the engine that is installed;
 * what is tested is which device, processors and environment each gets, and what becomes of those that fail.
 */
const machine = new FakeMachine({ gpus: Array.from({ length: 8 }, () => ({})) });
const lost = 'CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered';
/** Lets a worker end as TensorFlow ends a process whose GPU fails: with a line on stderr, and abort(). */
const crash = join(machine.folder, 'crash.cjs');
writeFileSync(
  crash,
  `if (process.env.CUDA_VISIBLE_DEVICES) process.on('SIGUSR2', () => {
  require('fs').writeSync(2, 'F0000 00:00:00 cuda_event.cc:41] failed to query event: ${lost}\\n');
  process.abort();
});`,
);
const environment = () => ({
  ...machine.environment,
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --require ${crash}`,
});
const named = (index: number) => `GPU ${index} (NVIDIA A100-SXM4-80GB, ${fakeUuid(index)})`;

let small: SmallRun;
let expected: unknown;
const settings = ['microbatches=8', 'iterations=1', 'decayAfter=[]'].flatMap((each) => [
  '--set',
  `spec.schedule.${each}`,
]);

const digestsOf = async (name: string) => {
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
};

beforeAll(async () => {
  small = await smallRun();
  const args = ['train', small.runFile, '--workers', '1', '--devices', 'none', ...settings];
  const { exitCode, stderr } = await runCommandLine(args, { cwd: small.folder, env: machine.environment });
  expect([exitCode, stderr]).toEqual([0, '']);
  expected = await digestsOf('small');
});
afterAll(async () => {
  await small.remove();
  machine.remove();
});

/** Process ids of the children, by the device that the kernel has in their environment. */
function childrenOf(run: CommandLine): Map<string, number> {
  const pids = execFileSync('pgrep', ['-P', String(run.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return new Map(
    pids.map((pid) => {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const variable = 'CUDA_VISIBLE_DEVICES=';
      return [
        environment.find((each) => each.startsWith(variable))?.slice(variable.length) ?? '',
        Number(pid),
      ];
    }),
  );
}

test('eight GPUs have a worker each, with processors of its own; one fails for ever, one hangs, and the bits are the same', async () => {
  const run = new CommandLine(
    ['train', small.runFile, '--devices', 'all', '--set', 'metadata.name=eight', ...settings],
    { cwd: small.folder, env: environment() },
  );
  const chosen = await run.line('devices chosen');
  expect(chosen.localWorkers).toBe(8);
  expect(chosen.choice).toMatch(
    /each worker still has one of the 8 GPUs that spec\.operation\.devices names/,
  );
  for (let joined = 0; joined < 8; joined++) {
    await run.line('worker joined', ({ worker }) => `${worker}`.endsWith(`(local-${joined}-gpu-${joined})`));
  }
  const children = childrenOf(run);
  expect([...children.keys()].sort()).toEqual(Array.from({ length: 8 }, (_, index) => fakeUuid(index)));
  const allowed = allowedProcessors()!;
  const starts = run.lines.filter(({ message }) => message === 'worker started on a GPU');
  for (const [index, start] of starts.entries()) {
    const pid = children.get(fakeUuid(index))!;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bound = /^Cpus_allowed_list:\s+(.*)$/m.exec(status)![1];
    expect(start).toMatchObject({ place: index, device: named(index), processors: bound });
    if (allowed.length > 1)
      expect(bound).not.toBe(
        readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\s+(.*)$/m)![1],
      );
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('\0TF_FORCE_GPU_ALLOW_GROWTH=true\0');
  }
  process.kill(children.get(fakeUuid(3))!, 'SIGUSR2');
  process.kill(children.get(fakeUuid(5))!, 'SIGSTOP');
  expect(await run.ended).toMatchObject({ exitCode: 0, stderr: '' });
  const sentence = `${named(3)} failed: its memory has an ECC error that cannot be corrected ("F0000 00:00:00 cuda_event.cc:41] failed to query event: ${lost}"); restart its driver or the machine before it computes again`;
  const endings = run.lines.filter(({ message }) => message === 'local worker ended');
  expect(endings).toMatchObject([{ place: 3, device: named(3), how: 'killed by SIGABRT', sentence }]);
  expect(run.lines.filter(({ message }) => message === 'GPU given up')).toMatchObject([
    { device: named(3), starts: 1, sentence },
  ]);
  expect(starts).toHaveLength(8);
  expect(await digestsOf('eight')).toEqual(expected);
});

test('a run whose last GPU fails ends with a checkpoint and the sentence about the GPU, and goes on from there', async () => {
  const args = [
    ...['train', small.runFile, '--devices', fakeUuid(6), '--set', 'metadata.name=alone'],
    ...settings,
  ];
  const run = new CommandLine(args, { cwd: small.folder, env: environment() });
  await run.line('checkpoint written');
  process.kill(childrenOf(run).get(fakeUuid(6))!, 'SIGUSR2');
  const { exitCode, stderr } = await run.ended;
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(
    /^fcaenet: GPU 6 \(NVIDIA A100-SXM4-80GB, GPU-6.*\) failed: its memory has an ECC error/,
  );
  const again = await runCommandLine([...args, '--resume'], { cwd: small.folder, env: machine.environment });
  expect([again.exitCode, again.stderr]).toEqual([0, '']);
  expect(await digestsOf('alone')).toEqual(expected);
});
