import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
let pretrained: string[];
let one: Awaited<ReturnType<typeof digests>>;
beforeAll(async () => {
  small = await smallRun();
  await digests('untrained', 1);
  const checkpoints = join('runs', 'untrained', 'checkpoints');
  const newest = (await readdir(join(small.folder, checkpoints))).sort().at(-1)!;
  pretrained = ['--set', `spec.model.weights=${join(checkpoints, newest, 'weights.safetensors')}`];
});
afterAll(() => small.remove());

const trainFrom = (firstCodes: string, name: string, workers: number, ...flags: string[]) => [
  ...['train', small.runFile, '--set', `metadata.name=${name}`, '--set', `spec.firstCodes=${firstCodes}`],
  ...['--workers', String(workers), ...flags],
];
const train = (name: string, workers: number, ...flags: string[]) =>
  trainFrom('class-means', name, workers, ...flags);

async function finish(args: readonly string[]) {
  const { exitCode, stderr } = await runCommandLine(args, { cwd: small.folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}

async function digests(name: string, workers: number, ...flags: string[]) {
  await finish(train(name, workers, ...flags));
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
}

test('a start from the means of the classes gives the same bits for 1 and 3 workers', async () => {
  one = await digests('one', 1, ...pretrained);
  expect(await digests('three', 3, ...pretrained)).toEqual(one);
});

test('and the same after an interruption before it is there', async () => {
  const first = new CommandLine(train('interrupted', 2, ...pretrained), { cwd: small.folder });
  await first.line('learning the hash function from features');
  first.kill('SIGINT');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  expect(await digests('interrupted', 2, '--resume=auto', ...pretrained)).toEqual(one);
});

test('features that vary in fewer directions than the codes have bits end the run, with a sentence', async () => {
  const { exitCode, stderr } = await runCommandLine(train('few', 1, '--set', 'spec.bits=40'), {
    cwd: small.folder,
  });
  expect(stderr).toBe(
    'fcaenet: spec.firstCodes is class-means, which needs itq: the features of the 32 training images vary in 31 directions, but itq needs 40, as many as the codes have bits.\n',
  );
  expect(exitCode).toBe(65);
});

test.each(['baseline', 'fcaenet'])(
  '%s from V = 0 gives the bits of one worker on two, after an interruption before the first V-step',
  async (method) => {
    const settings = [
      `spec.method=${method}`,
      'spec.schedule.iterations=2',
      'spec.schedule.epochs=4',
      'spec.schedule.decayAfter=[1]',
    ].flatMap((setting) => ['--set', setting]);
    const zero = (name: string, workers: number) => trainFrom('zero', name, workers, ...settings);
    const [one, two] = [`${method}-one`, `${method}-two`];
    await finish(zero(one, 1));
    const first = new CommandLine(zero(two, 2), { cwd: small.folder });
    await first.line('checkpoint written');
    first.kill('SIGINT');
    expect(await first.ended).toMatchObject({ exitCode: 75 });
    const early = await runCommandLine(['evaluate', `runs/${two}`], { cwd: small.folder });
    expect(early.stderr).toContain('was written before its first V-step, so there are no codes to evaluate');
    await finish([...zero(two, 2), '--resume']);

    const { weightsSha256, codesSha256, history } = await small.result(one);
    expect(await small.result(two)).toMatchObject({ weightsSha256, codesSha256, history });
    const [begun, learned] = history;
    // c² n / K · (1 + r), where r = 1 / (K − 1): 12 bits, and K = 4 classes of one size. No output changes it.
    expect(begun!.losses.similarity).toBeCloseTo(48, 9);
    expect(begun!.flippedBits).toBe(32 * 12);
    expect(learned!.losses.similarity).not.toBeCloseTo(48, 1);
    await finish(['audit', `runs/${two}`]);
  },
);
