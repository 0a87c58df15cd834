import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

const train = (name: string, workers: number, ...flags: string[]) => [
  ...['train', small.runFile, '--set', `metadata.name=${name}`, '--set', 'spec.firstCodes=class-means'],
  ...['--workers', String(workers), ...flags],
];

async function digests(name: string, workers: number, ...flags: string[]) {
  const { exitCode, stderr } = await runCommandLine(train(name, workers, ...flags), { cwd: small.folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
}

test('V from the means of the classes: the same bits for 1 and 3 workers, and after an interruption before V is there', async () => {
  const one = await digests('one', 1);
  expect(await digests('three', 3)).toEqual(one);
  const first = new CommandLine(train('interrupted', 2), { cwd: small.folder });
  await first.line('learning the hash function from features');
  first.kill('SIGINT');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  expect(await digests('interrupted', 2, '--resume=auto')).toEqual(one);
});

test('features that vary in fewer directions than the codes have bits end the run, with a sentence', async () => {
  const { exitCode, stderr } = await runCommandLine(train('few', 1, '--set', 'spec.bits=40'), {
    cwd: small.folder,
  });
  expect(stderr).toBe(
    'fcaenet: spec.firstCodes is class-means, but needs itq. The features of the 32 training images vary in 31 directions, but itq needs 40, as many as the codes have bits.\n',
  );
  expect(exitCode).toBe(65);
});
