import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Console } from '../../src/console/console.js';
import { interruptProcess } from '../../src/console/interrupt.js';
import { encodeRun } from '../../src/encoding/encode-run.js';
import { bytesOfPackedCodes, packedCodesOfBytes } from '../../src/formats/code-bytes.js';
import { readNpyCodes } from '../../src/formats/read-codes.js';
import { TrainedNetwork } from '../../src/inference/trained-network.js';
import { readTrainedRun } from '../../src/inference/trained-run.js';
import { Network } from '../../src/model/network.js';
import { weightsFromWire, wireWeightParts } from '../../src/model/wire-weights.js';
import { HammingIndex } from '../../src/retrieval/hamming-index.js';
import { NearestIndex } from '../../src/retrieval/nearest-index.js';
import { resultsPage } from '../../src/search/results-page.js';
import { searchRun } from '../../src/search/search-run.js';
import type { SearchAnswer } from '../../src/serving/search-service.js';
import { bytesOf } from '../../src/transport/bytes.js';
import type { EncodeWork__Output } from '../../src/transport/generated/fcaenet/v1/EncodeWork.js';
import { computeEncodeWork } from '../../src/worker/encode-work.js';
import { openImageSource } from '../../src/worker/images/source.js';
import { pngBomb } from '../data/png-bomb.js';
import { figuresOf, queriesOf } from '../inference/figures.js';
import { CommandLine, runCommandLine } from '../kit/command-line.js';
import { failure } from '../kit/failure.js';
import { type SmallRun, smallRun } from '../kit/small-run.js';

let small: SmallRun;
const log = { info: () => {}, warn: () => {}, error: () => {} };
const runOf = (name: string) => join(small.folder, 'runs', name);

beforeAll(async () => {
  small = await smallRun();
  // Weights in bfloat16 on the wire, so that forgetting to round them would change outputs.
  const settings = ['schedule.iterations=1', 'wire.precision=bfloat16', 'augmentation.crop=random-resized'];
  const { exitCode, stderr } = await runCommandLine(
    [
      'train',
      small.runFile,
      '--workers',
      '1',
      ...settings.flatMap((setting) => ['--set', `spec.${setting}`]),
    ],
    { cwd: small.folder },
  );
  expect([exitCode, stderr]).toEqual([0, '']);
});
afterAll(() => small.remove());

test('codes give the figures of the run’s own evaluation', async () => {
  const { mAP, tieAveragedMAP } = await small.result('small');
  expect(await figuresOf(small, 'small')).toEqual({ mAP, tieAveragedMAP });
});

test('outputs have the bits of a worker’s, alone and in batches', async () => {
  const { dataset, pictures } = await queriesOf(small);
  const run = await readTrainedRun(runOf('small'));
  const { spec, layout, weights } = run;
  const trained = await TrainedNetwork.load(run);
  expect(trained.differences).toEqual([]);
  const network = new Network(layout);
  const sent = Buffer.concat(wireWeightParts(weights, 'bfloat16'));
  network.setWeights(weightsFromWire(new Uint8Array(sent), layout, 'bfloat16'));
  const source = await openImageSource({
    ...{ dataset, split: 'test', imageSize: spec.model.imageSize, augmentation: spec.augmentation },
    ...{ seed: 0, cacheDirectory: small.folder, cacheLimitBytes: 0, parallelDecodes: 2, onNotice: () => {} },
  });
  const images = { TRAIN: { source, count: 0 }, TEST: { source, count: pictures.length } };
  const rows = bytesOf(Int32Array.from(pictures.keys()));
  const work = { output: 'OUTPUTS', split: 'TEST', images: rows, position: null };
  const computed = await computeEncodeWork({ spec, network, images }, work as EncodeWork__Output);
  const expected = new Float32Array(computed.slice().buffer);
  const pixels = await trained.pixelsOf(pictures);
  expect((await trained.outputs(pixels, pictures.length)).u).toEqual(expected);
  for (const [row, picture] of pictures.entries()) {
    const alone = await trained.outputs(await trained.pixelsOf([picture]), 1);
    expect(alone.u).toEqual(expected.slice(row * spec.bits, (row + 1) * spec.bits));
  }
  network.dispose();
  trained.dispose();
});

test('the newest checkpoint, the best, and one by its name', async () => {
  const names = (await readdir(join(runOf('small'), 'checkpoints'))).filter((name) =>
    name.startsWith('term-'),
  );
  const [first, newest] = [names.sort()[0]!, names.sort().at(-1)!];
  expect(first).not.toBe(newest);
  const last = await readTrainedRun(runOf('small'));
  expect(last).toMatchObject({ checkpoint: newest, databaseSize: 32, step: 4 });
  expect(last.databaseCodes).toHaveLength(32);
  expect(await readTrainedRun(runOf('small'), first)).toMatchObject({ checkpoint: first });
  expect((await readTrainedRun(runOf('small'), 'best')).checkpoint).toBe(
    (await readFile(join(runOf('small'), 'checkpoints', 'best'), 'utf8')).trim(),
  );
  await expect(readTrainedRun(runOf('small'), 'term-1')).rejects.toEqual(
    failure(
      'INFERENCE_NO_CHECKPOINT',
      /^.*small has no checkpoint term-1; expected last, best or one of term-/,
    ),
  );
});

test('a folder without a run', async () => {
  await expect(readTrainedRun(join(small.folder, 'data'))).rejects.toEqual(
    failure(
      'INFERENCE_NO_RUN',
      /data is not the directory of a run: it has no run.yaml, expected a directory such as/,
    ),
  );
});

test('a run without a checkpoint, and one that was not evaluated yet', async () => {
  const copy = runOf('copy');
  await cp(runOf('small'), copy, { recursive: true });
  await rm(join(copy, 'checkpoints', 'best'));
  await expect(readTrainedRun(copy, 'best')).rejects.toEqual(
    failure(
      'INFERENCE_NO_CHECKPOINT',
      /copy has no best checkpoint: no checkpoint was evaluated yet, and "last" takes the newest$/,
    ),
  );
  await rm(join(copy, 'checkpoints'), { recursive: true });
  await expect(readTrainedRun(copy)).rejects.toEqual(
    failure('INFERENCE_NO_CHECKPOINT', /copy has no checkpoint yet, so there is no trained network to use$/),
  );
});

test('another engine is said to be another', async () => {
  const run = await readTrainedRun(runOf('small'));
  const trained = await TrainedNetwork.load({
    ...run,
    identity: { ...run.identity!, instructionSet: 'other' },
  });
  expect(trained.differences).toEqual([expect.stringMatching(/^instructionSet is \S+, expected other$/)]);
  trained.dispose();
});

test('encode writes the codes of a folder with two workers, with the bits of this process', async () => {
  const { dataset, pictures } = await queriesOf(small);
  const trained = await TrainedNetwork.load(await readTrainedRun(runOf('small')));
  const folder = await runCommandLine(['encode', 'runs/small', 'data', '--workers', '2'], {
    cwd: small.folder,
  });
  expect([folder.exitCode, folder.stderr]).toEqual([0, '']);
  expect(folder.lines.at(-1)).toMatchObject({ message: 'codes written', pictures: 44, bits: 12 });
  const paths = (await readFile(join(small.folder, 'codes.paths.txt'), 'utf8')).trimEnd().split('\n');
  const codes = readNpyCodes(await readFile(join(small.folder, 'codes.npy')), 12, 'codes.npy');
  const queries = dataset.test.paths.map((path) => paths.indexOf(join('images', path)));
  const ofQueries = queries.flatMap((row) => [...codes.subarray(2 * row, 2 * row + 2)]);
  expect(ofQueries).toEqual([...bytesOfPackedCodes(await trained.codesOfPictures(pictures), 12)]);
  trained.dispose();
});

test('encode alone goes on after a picture that cannot be read, and a finished file is not replaced', async () => {
  const folder = join(small.folder, 'broken');
  const { pictures } = await queriesOf(small);
  await mkdir(folder);
  for (let i = 100; i < 170; i++) await writeFile(join(folder, `${i}.jpg`), pictures[i % 12]!.bytes);
  await writeFile(join(folder, '165.jpg'), 'no picture');
  const console = {
    log: { info: () => {}, warn: () => {} },
    startTask: () => ({ update() {}, finish() {} }),
  };
  const output = join(small.folder, 'broken.csv');
  const ask = () =>
    encodeRun(
      {
        ...{ runDirectory: runOf('small'), checkpoint: 'last', engine: undefined, workers: 1 },
        ...{ pictures: folder, output, format: 'csv' },
      },
      console as unknown as Console,
    );
  await expect(ask()).rejects.toEqual(
    failure('DATASET_IMAGE_DAMAGED', /^the image \S*broken\/165\.jpg \(10 bytes\) cannot be decoded \(/),
  );
  const first = ask();
  await expect(ask()).rejects.toEqual(
    failure('RUN_LOCKED', new RegExp(`broken\\.csv is in use by process ${process.pid} on `)),
  );
  await expect(first).rejects.toEqual(failure('DATASET_IMAGE_DAMAGED', '165.jpg'));
  const interrupted = ask();
  interruptProcess('SIGTERM');
  await expect(interrupted).rejects.toEqual(
    failure(
      'ENCODING_INTERRUPTED',
      /^the encoding was interrupted; the codes of 64 pictures are in \S+broken\.csv\.partial, and the same command goes on$/,
    ),
  );
  await writeFile(join(folder, '165.jpg'), pictures[0]!.bytes);
  expect(await ask()).toMatchObject({ pictures: 70, bits: 12, files: [output] });
  const lines = (await readFile(output, 'utf8')).split('\n');
  expect(lines).toHaveLength(72);
  expect(lines[66]).toBe(`165.jpg,${lines.find((line) => line.startsWith('108.jpg,'))!.slice(8)}`);
  await expect(ask()).rejects.toEqual(
    failure(
      'ENCODING_OUTPUT_EXISTS',
      /broken\.csv exists already; remove it, or choose another file with --output$/,
    ),
  );
});

test('search finds the nearest pictures of the database', async () => {
  const { dataset, pictures } = await queriesOf(small);
  const images = pictures.slice(0, 2).map(({ name }) => name);
  const { results, database } = await searchRun(
    {
      ...{ runDirectory: runOf('small'), checkpoint: 'last', engine: undefined, images, top: 3 },
      ...{ database: undefined, data: join(small.folder, 'data') },
    },
    log,
  );
  expect(results.map(({ image }) => image)).toEqual(images);
  const { databaseCodes } = await readTrainedRun(runOf('small'));
  const index = new HammingIndex({ codes: databaseCodes, labels: dataset.train.labels }, 12, 4);
  for (const { code, nearest } of results) {
    const rows = [...index.ranking(packedCodesOfBytes(Buffer.from(code, 'hex'), 12), 0)].slice(0, 3);
    expect(nearest.map(({ row }) => row)).toEqual(rows);
    expect(nearest.map((each) => each.path)).toEqual(rows.map((row) => dataset.train.paths[row]));
    const names = rows.map((row) => dataset.classNames[dataset.train.labels[row]!]);
    expect(nearest.map((each) => each.class)).toEqual(names);
  }
  expect((await resultsPage(results, database)).match(/<img /g)).toHaveLength(8);
});

test('serve answers as search does, and ends at a signal', async () => {
  const { pictures } = await queriesOf(small);
  const command = new CommandLine(['serve', 'runs/small', '--listen', '127.0.0.1:0'], { cwd: small.folder });
  const { url } = await command.line('serving');
  const run = await readTrainedRun(runOf('small'));
  const trained = await TrainedNetwork.load(run);
  const codes = await trained.codesOfPictures(pictures.slice(0, 1));
  const { rows } = new NearestIndex(run.databaseCodes, run.databaseSize, 12).nearest(codes, 0, 5);
  trained.dispose();
  const response = await fetch(`${url}/v1/search?top=5`, {
    method: 'POST',
    body: new Uint8Array(pictures[0]!.bytes),
  });
  const { code, nearest } = (await response.json()) as SearchAnswer;
  expect(code).toBe(Buffer.from(bytesOfPackedCodes(codes, 12)).toString('hex'));
  expect(nearest.map(({ row }) => row)).toEqual([...rows]);
  expect((await fetch(`${url}${nearest[0]!.thumbnail}`)).headers.get('content-type')).toBe('image/jpeg');
  const text = await fetch(`${url}/v1/search`, { method: 'POST', body: '<svg/>' });
  expect(text.status).toBe(415);
  const bomb = await fetch(`${url}/v1/search`, { method: 'POST', body: new Uint8Array(pngBomb(60_000)) });
  expect([bomb.status, await bomb.json()]).toEqual([
    413,
    expect.objectContaining({ message: expect.stringMatching(/has 60000 × 60000 pixels, expected at most/) }),
  ]);
  command.kill('SIGTERM');
  expect(await command.ended).toEqual({ exitCode: 0, signal: null, stderr: '' });
});
