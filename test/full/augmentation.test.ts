import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommandLine } from '../kit/command-line.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
beforeAll(async () => {
  small = await smallRun();
});
afterAll(() => small.remove());

/** A short run, and the digests of what came of it. */
async function digests(name: string, ...settings: string[]) {
  const set = [`metadata.name=${name}`, 'spec.schedule.iterations=1', ...settings];
  const { exitCode, stderr } = await runCommandLine(
    ['train', small.runFile, ...set.flatMap((setting) => ['--set', setting])],
    { cwd: small.folder },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { weightsSha256, codesSha256 } = await small.result(name);
  return { weightsSha256, codesSha256 };
}

const recipe = ['spec.augmentation.crop=random-resized', 'spec.augmentation.flip=true'];

test('cropped and mirrored pictures give the same bits with one worker and with three, cached or not', async () => {
  const one = await digests(
    'one',
    ...recipe,
    'spec.operation.workers=1',
    'spec.operation.cache.limitBytes=0',
  );
  const three = await digests(
    'three',
    ...recipe,
    'spec.operation.workers=3',
    'spec.operation.membership.minWorkers=3',
  );
  expect(three).toEqual(one);
  const plain = await digests('plain', 'spec.operation.workers=1');
  expect(plain.weightsSha256).not.toBe(one.weightsSha256);
});
