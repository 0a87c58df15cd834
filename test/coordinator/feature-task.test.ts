import path from 'node:path';
import { expect, test } from 'vitest';
import type * as Built from '../../src/coordinator/training/feature-task.js';
import { makeFeatureCodes } from '../../src/coordinator/training/feature-task.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { values } from '../golden/support.js';

// As built: a thread runs JavaScript.
const built = path.resolve('dist/coordinator/training/feature-task.js');
const { inFeatureThread } = (await import(built)) as typeof Built;

const features = () => Float32Array.from(values('features', [40, 12], 1));
const task = (bits: number) => ({
  method: 'itq' as const,
  features: features(),
  learn: {
    settings: publishedSettings,
    dimension: 12,
    labels: Int32Array.from({ length: 40 }, (_, i) => i % 3),
    classCount: 3,
    bits,
    seed: 5,
  },
});
const never = new AbortController().signal;

test('a thread learns what this one does, and the learned function makes the same codes again', async () => {
  const { hash, codes } = await inFeatureThread(task(8), never);
  expect({ hash, codes }).toEqual(await makeFeatureCodes(task(8)));
  const again = await inFeatureThread({ method: 'itq', features: features(), learn: null, hash }, never);
  expect(again.codes).toEqual(codes);
});

test('another seed gives another rotation', async () => {
  const { codes } = await makeFeatureCodes(task(8));
  const { learn } = task(8);
  const other = await makeFeatureCodes({ ...task(8), learn: { ...learn, seed: 6 } });
  expect(other.codes).not.toEqual(codes);
});

test('an error of learning comes out of the thread with its code', async () => {
  await expect(inFeatureThread(task(13), never)).rejects.toMatchObject({
    name: 'MethodError',
    code: 'METHOD_RANK',
    exitCode: 65,
    message: expect.stringContaining('vary in 12 directions, but itq needs 13'),
  });
});

test('an abort ends the thread, with the signal’s reason', async () => {
  const controller = new AbortController();
  const done = inFeatureThread(task(8), controller.signal);
  const reason = new Error('stop');
  controller.abort(reason);
  await expect(done).rejects.toBe(reason);
  await expect(inFeatureThread(task(8), controller.signal)).rejects.toBe(reason);
});
