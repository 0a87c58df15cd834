import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { interruptProcess } from '../../src/console/interrupt.js';
import { readPictureList } from '../../src/data/picture-list.js';
import { packCodes } from '../../src/hashing/codes.js';
import { type EvaluateRunOptions, evaluateRun } from '../../src/inspection/evaluate-run.js';
import { evaluateRetrieval } from '../../src/retrieval/evaluate.js';
import { RunDirectory } from '../../src/run/run-directory.js';
import { runCommandLine } from '../kit/command-line.js';
import { failure } from '../kit/failure.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
const said: string[] = [];
const log = { info: (message: string) => said.push(message), warn: () => {}, error: () => {} };
const console = { log, startTask: () => ({ update: () => {}, finish: () => {} }) };
const evaluate = (changed: Partial<EvaluateRunOptions>) =>
  evaluateRun({
    runDirectory: join(small.folder, 'runs', 'small'),
    data: join(small.folder, 'data'),
    workers: 0,
    console: console as unknown as EvaluateRunOptions['console'],
    ...changed,
  });

beforeAll(async () => {
  small = await smallRun();
  const { exitCode } = await runCommandLine(
    ['train', small.runFile, '--workers', '1', '--set', 'spec.schedule.iterations=1'],
    { cwd: small.folder },
  );
  expect(exitCode).toBe(0);
});
afterAll(() => small.remove());

test('a run directory says enough to rank its queries again: codes, and the class of each row', async () => {
  const directory = RunDirectory.at(join(small.folder, 'runs', 'small'));
  const latest = (await readFile(join(directory.checkpoints, 'latest'), 'utf8')).trim();
  const file = 'codes.safetensors';
  const { tensors } = decodeSafetensors(await readFile(join(directory.checkpoints, latest, file)), file);
  const pictures = readPictureList(directory)!;
  const bits = 12;
  expect([tensors.V!.shape, tensors.Q!.shape]).toEqual([
    [pictures.train.paths.length, bits],
    [pictures.test.paths.length, bits],
  ]);
  const { mAP } = await evaluateRetrieval({
    queryCodes: packCodes(tensors.Q!.data as Int8Array, bits),
    queryLabels: Int32Array.from(pictures.test.labels),
    databaseCodes: packCodes(tensors.V!.data as Int8Array, bits),
    databaseLabels: Int32Array.from(pictures.train.labels),
    bits,
    classCount: pictures.classNames.length,
    precisionAt: [],
  });
  expect(mAP).toBe((await small.result('small')).mAP);
});

test('a run of another dataset', async () => {
  const data = join(small.folder, 'other');
  await cp(join(small.folder, 'data'), data, { recursive: true });
  await rm(join(data, 'images', '001.Kind', '0.jpg'));
  await cp(join(data, 'images', '001.Kind', '4.jpg'), join(data, 'images', '001.Kind', '0.jpg'));
  await expect(evaluate({ data })).rejects.toEqual(
    failure(
      'COORDINATOR_OTHER_DATASET',
      /^checkpoint term-\S+ was trained on a dataset with fingerprint [0-9a-f]{12}…, but .*other has [0-9a-f]{12}…: its pictures, classes or splits differ from those of the run's start$/,
    ),
  );
});

test('a run without a checkpoint', async () => {
  const runDirectory = join(small.folder, 'runs', 'empty');
  await cp(join(small.folder, 'runs', 'small'), runDirectory, { recursive: true });
  await rm(join(runDirectory, 'checkpoints'), { recursive: true });
  await expect(evaluate({ runDirectory })).rejects.toEqual(
    failure(
      'COORDINATOR_NOTHING_TO_EVALUATE',
      /empty has no checkpoint yet, so there are no codes to evaluate$/,
    ),
  );
});

test('a signal ends it, with nothing changed', async () => {
  const ended = expect(evaluate({})).rejects.toEqual(
    failure('COORDINATOR_INTERRUPTED', 'the evaluation was interrupted; nothing was changed'),
  );
  await vi.waitFor(() => expect(said).toContain('waiting for workers'), { timeout: 10_000 });
  interruptProcess('SIGTERM');
  await ended;
});
