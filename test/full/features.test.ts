import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const train = (name: string, method: string, workers: number, ...flags: string[]) => [
  ...['train', small.runFile, '--set', `metadata.name=${name}`, '--set', `spec.method=${method}`],
  ...['--workers', String(workers), ...flags],
];

async function result(name: string) {
  const { codesSha256, mAP, precisionAt } = await small.result(name);
  return { codesSha256, mAP, precisionAt };
}

/** A whole run; with `at`, interrupted there and resumed. */
async function run(name: string, method: string, workers: number, at?: string) {
  if (at !== undefined) {
    const first = new CommandLine(train(name, method, workers), { cwd: small.folder });
    await first.line(at);
    first.kill('SIGINT');
    expect(await first.ended).toMatchObject({ exitCode: 75 });
  }
  const flags = at === undefined ? [] : ['--resume'];
  const { exitCode, stderr } = await runCommandLine(train(name, method, workers, ...flags), {
    cwd: small.folder,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return result(name);
}

describe.each(['lsh', 'sh', 'itq', 'sdh'])('%s gives the codes and figures of one worker', (method) => {
  let one: Awaited<ReturnType<typeof result>>;
  beforeAll(async () => {
    one = await run(`${method}-1`, method, 1);
  });

  test('on two workers', async () => {
    expect(await run(`${method}-2`, method, 2)).toEqual(one);
  });

  test('interrupted while the hash function is learned', async () => {
    const learning = 'learning the hash function from features';
    expect(await run(`${method}-before`, method, 2, learning)).toEqual(one);
  });

  test('interrupted behind it: the checkpoint has it, and only queries are encoded again', async () => {
    expect(await run(`${method}-behind`, method, 1, 'database codes updated')).toEqual(one);
  });
});

test('features that vary in fewer directions than the codes have bits end the run, with a sentence', async () => {
  const { exitCode, stderr } = await runCommandLine(train('few', 'itq', 1, '--set', 'spec.bits=40'), {
    cwd: small.folder,
  });
  expect(stderr).toBe(
    'fcaenet: the features of the 32 training images vary in 31 directions, but itq needs 40, as many as the codes have bits.\n',
  );
  expect(exitCode).toBe(65);
});

test('evaluate makes the codes of queries with the hash function of the checkpoint', async () => {
  await run('evaluated', 'sdh', 1);
  const { lines } = await runCommandLine(['evaluate', 'runs/evaluated', '--workers', '1'], {
    cwd: small.folder,
  });
  const { mAP } = await small.result('evaluated');
  expect(lines.find(({ message }) => message === 'evaluated')).toMatchObject({ mAP });
});
