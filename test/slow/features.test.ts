import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportedFiles } from '../../src/export/export-run.js';
import { readTrainedRun } from '../../src/inference/trained-run.js';
import { figuresOf } from '../inference/figures.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { failure } from '../kit/failure.js';
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

async function finished(name: string, method: string, workers: number, ...flags: string[]) {
  const { exitCode, stderr } = await runCommandLine(train(name, method, workers, ...flags), {
    cwd: small.folder,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { codesSha256, mAP, steps, images, history } = await small.result(name);
  return { codesSha256, mAP, steps, images, losses: history.map(({ losses }) => losses) };
}

// The others are run in test/slow/features.test.ts; they differ in pure functions only.
test('runs of methods on features have no steps and no losses, but codes of their own', async () => {
  const methods = ['itq', 'sdh'];
  const results = await Promise.all(methods.map((method) => finished(method, method, 1)));
  for (const result of results) {
    expect(result).toMatchObject({ steps: 0, images: 0, losses: [{}] });
    expect(result.mAP).toBeGreaterThan(0);
  }
  expect(new Set(results.map(({ codesSha256 }) => codesSha256)).size).toBe(methods.length);
});

test('codes are learned again with the same bits, by two workers, after an interruption while they are learned', async () => {
  const first = new CommandLine(train('interrupted', 'itq', 1), { cwd: small.folder });
  await first.line('learning the hash function from features');
  first.kill('SIGINT');
  expect(await first.ended).toMatchObject({ exitCode: 75 });
  const evaluation = await runCommandLine(['evaluate', 'runs/interrupted'], { cwd: small.folder });
  expect(evaluation.stderr).toBe(
    'fcaenet: the newest checkpoint of runs/interrupted was written before itq learned its hash function, so there are no codes to evaluate; --resume goes on.\n',
  );
  await expect(readTrainedRun(join(small.folder, 'runs', 'interrupted'))).rejects.toEqual(
    failure(
      'INFERENCE_NO_CHECKPOINT',
      /was written before itq learned its hash function, so it makes no codes; --resume goes on with the run$/,
    ),
  );
  const resumed = await finished('interrupted', 'itq', 2, '--resume');
  expect(resumed).toEqual(expect.objectContaining({ codesSha256: (await small.result('itq')).codesSha256 }));
});

test('codes are exported, and a network that makes none by itself is not', async () => {
  const run = join(small.folder, 'runs', 'itq');
  await expect(exportedFiles(run, ['npy', 'onnx'], 'last')).rejects.toEqual(
    failure(
      'EXPORT_METHOD',
      /has the method itq, which makes codes from features .*; --format onnx needs a method that trains the network, and faiss and npy export the codes$/,
    ),
  );
  const { files } = await exportedFiles(run, ['faiss'], 'last');
  expect(files.map(({ name }) => name)).toContain('database.faiss');
});

test('the trained network of a directory makes the codes of the run’s own evaluation', async () => {
  const { mAP, tieAveragedMAP } = await small.result('itq');
  expect(await figuresOf(small, 'itq')).toEqual({ mAP, tieAveragedMAP });
});

test('audit finds a run without steps complete', async () => {
  const audit = await runCommandLine(['audit', 'runs/itq'], { cwd: small.folder });
  expect([audit.exitCode, audit.stderr]).toEqual([0, '']);
  const { codesSha256 } = await small.result('itq');
  expect(audit.lines.at(-1)).toMatchObject({ steps: 0, samples: 0, codesSha256 });
});
