import { afterEach, expect, test } from 'vitest';
import { encodeFeatures } from '../../src/coordinator/training/encode-features.js';
import { encodeOutputs } from '../../src/coordinator/training/encode-outputs.js';
import { readTrainingRun } from '../../src/run/read.js';
import { describedStep } from '../kit/scripted-worker.js';
import { ScriptedWorld } from '../kit/scripted-world.js';

let world: ScriptedWorld;
afterEach(() => world.close());

test('outputs that no network gives are refused, and another worker is asked', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const { spec } = readTrainingRun('examples/quick.yaml', ['spec.bits=12']);
  const context = { ...world.surroundings(), spec, term: 1, onProgress: () => {} };
  const done = encodeOutputs(context, describedStep().weights, Int32Array.of(7, 3), 0);
  const { request, split, images, output } = await first.next('encodeWork');
  expect({ split, output }).toEqual({ split: 'TRAIN', output: 'OUTPUTS' });
  expect([...images]).toEqual([7, 0, 0, 0, 3, 0, 0, 0]);
  const byteLength = 2 * 12 * 4;
  // 0x40404040 is the float32 3.00…
  first.answerEncode(request, 0, byteLength, 0x40);
  expect(await first.next('refusal')).toMatchObject({
    code: 'NON_FINITE',
    message: expect.stringMatching(/^encode batch 0 holds the output 3\.0\d+, expected one from -1 to 1$/),
  });
  await second.next('encodeWork');
  // 0x3e3e3e3e is 0.18…
  second.answerEncode(request, 0, byteLength, 0x3e);
  const [value] = new Float32Array(Uint32Array.of(0x3e3e3e3e).buffer);
  expect(await done).toEqual(new Float32Array(24).fill(value!));
});

test('features that are no numbers are refused, and another worker is asked', async () => {
  world = await ScriptedWorld.open();
  const [first, second] = [await world.joined(), await world.joined()];
  const { spec } = readTrainingRun('examples/quick.yaml', ['spec.method=itq']);
  const context = { ...world.surroundings(), spec, term: 1, onProgress: () => {} };
  const done = encodeFeatures(context, describedStep().weights, 'TRAIN', Uint32Array.of(7, 3), null);
  const { request, output } = await first.next('encodeWork');
  expect(output).toBe('FEATURES');
  const byteLength = 2 * 256 * 4;
  // 0xffffffff is no number.
  first.answerEncode(request, 0, byteLength, 0xff);
  expect(await first.next('refusal')).toMatchObject({
    code: 'NON_FINITE',
    message: 'encode batch 0 holds the feature NaN, expected a finite number',
  });
  await second.next('encodeWork');
  second.answerEncode(request, 0, byteLength, 0x3e);
  const [value] = new Float32Array(Uint32Array.of(0x3e3e3e3e).buffer);
  expect(await done).toEqual(new Float32Array(2 * 256).fill(value!));
});
