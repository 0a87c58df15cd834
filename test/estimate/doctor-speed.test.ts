import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { speedOfDoctor } from '../../src/estimate/doctor-speed.js';
import { readTrainingRun } from '../../src/run/read.js';
import { measuredWork } from '../../src/worker/measure-speed.js';
import { temporaryDirectory } from '../run/support.js';

const { spec } = readTrainingRun('examples/cub-48bit.yaml', ['spec.model.weights=null']);
const speed = (images: number) => ({ trainedImagesPerSecond: images, encodedImagesPerSecond: 4 * images });
const ran = (engine: string, images: number) => ({ engine, runs: true, ...speed(images) });
const failed = (engine: string) => ({ engine, runs: false, reason: 'it is not installed' });

/** A file as doctor prints it. */
function printed(content: object | string): string {
  const path = join(temporaryDirectory(), 'doctor.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const document = (changes: object = {}) => ({
  measured: measuredWork(spec),
  engines: [ran('onednn', 5), ran('tensorflow', 400), failed('webgpu')],
  devices: { devices: [], speeds: { alone: [400], together: 400 } },
  ...changes,
});

test('is that of TensorFlow where a GPU computes, and of onednn on processors', async () => {
  expect(await speedOfDoctor(printed(document()), spec, 1)).toEqual(speed(400));
  const onProcessors = document({ devices: { devices: [], speeds: null } });
  expect(await speedOfDoctor(printed(onProcessors), spec, 1)).toEqual(speed(5));
  const withoutKernels = { ...onProcessors, engines: [failed('onednn'), ran('tensorflow', 3)] };
  expect(await speedOfDoctor(printed(withoutKernels), spec, 1)).toEqual(speed(3));
});

test('of a worker with several GPUs is that of each while all compute, where that is slower', async () => {
  const together = (sum: number | null) =>
    printed(document({ devices: { devices: [], speeds: { alone: [400, 390], together: sum } } }));
  expect(await speedOfDoctor(together(600), spec, 2)).toEqual(speed(300));
  expect(await speedOfDoctor(together(600), spec, 1)).toEqual(speed(400));
  expect(await speedOfDoctor(together(820), spec, 2)).toEqual(speed(400));
  expect(await speedOfDoctor(together(null), spec, 2)).toEqual(speed(400));
});

test('is that of the engine that the run names', async () => {
  const named = { ...spec, engine: { ...spec.engine, name: 'onednn' as const } };
  expect(await speedOfDoctor(printed(document()), named, 1)).toEqual(speed(5));
  const path = printed(document({ engines: [failed('onednn'), ran('tensorflow', 400)] }));
  await expect(speedOfDoctor(path, named, 1)).rejects.toMatchObject({
    code: 'RUN_SPEED_DIFFERS',
    message: `${path} has no speed of onednn, the run's engine, which did not run on that machine`,
  });
});

test('of another network or microbatch is refused with what differs', async () => {
  const other = { ...measuredWork(spec), backbone: 'mobilenet_v1', rows: 3 };
  const path = printed(document({ measured: other }));
  await expect(speedOfDoctor(path, spec, 1)).rejects.toMatchObject({
    code: 'RUN_SPEED_DIFFERS',
    message: `${path} measured something else than the run: backbone "mobilenet_v1" (the run has resnet50), rows "3" (the run has 8); measure with doctor RUN.yaml --json`,
  });
});

test.each([
  ['a file that is not there', () => join(temporaryDirectory(), 'none.json'), 'cannot be read (ENOENT)'],
  [
    'a folder',
    () => temporaryDirectory(),
    'must be a file of at most 1048576 bytes, printed by doctor --json',
  ],
  ['a file of no JSON', () => printed('engine trained/s'), 'is not what doctor RUN.yaml --json prints'],
  ['JSON of something else', () => printed({ engines: [] }), 'is not what doctor RUN.yaml --json prints'],
])('%s is refused', async (_, make, sentence) => {
  const path = make();
  await expect(speedOfDoctor(path, spec, 1)).rejects.toMatchObject({
    code: 'RUN_SPEED_UNREADABLE',
    message: `${path} ${sentence}`,
  });
});
