import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { batchNormAddRelu, batchNormTrain } from '../../src/engine/batch-norm.js';
import { loadEngine } from '../../src/engine/loader.js';
import { difference, evaluate, type Operation, type Shape } from './against-cpu.js';
import { relativeDifference, valuesOf } from './support.js';

beforeAll(async () => {
  await loadEngine('onednn', { threads: 1 });
});

describe('batch normalisation equals its composition from cpu kernels', () => {
  const shapes: Shape[] = [
    [2, 3, 3, 8],
    [2, 5, 5, 3],
    [3, 5, 7, 16],
    [1, 9, 5, 64],
    [2, 4, 3, 100],
    [2, 3, 3, 256],
    [2, 2, 1, 5],
    [19, 5, 5, 24],
  ];
  const cases = shapes.flatMap((shape) =>
    (['none', 'relu', 'relu6'] as const).map((a) => [shape, a] as const),
  );
  test.each(cases)('train mode, input %j, activation %s', async (shape, activation) => {
    const channels = shape[3]!;
    const f: Operation = (x, scale, offset) =>
      batchNormTrain(
        x as tf.Tensor4D,
        tf.mul(scale!, 3) as tf.Tensor1D,
        offset as tf.Tensor1D,
        1e-3,
        activation,
      ).output;
    expect(await difference(f, [shape, [channels], [channels]], 2)).toBeLessThan(1e-5);
  });

  test.each(shapes)('added to a shortcut, with a ReLU behind, input [%i, %i, %i, %i]', async (...shape) => {
    const channels = shape[3]!;
    const f: Operation = (x, scale, offset, shortcut) =>
      batchNormAddRelu(
        x as tf.Tensor4D,
        tf.mul(scale!, 3) as tf.Tensor1D,
        offset as tf.Tensor1D,
        1e-3,
        shortcut as tf.Tensor4D,
      ).output;
    const inputs = [shape, [channels], [channels], shape];
    expect(await difference(f, inputs, 2)).toBeLessThan(1e-5);
    // The same bits as its parts one by one.
    const parts: Operation = (x, scale, offset, shortcut) => {
      const scaled = tf.mul(scale!, 3) as tf.Tensor1D;
      const main = batchNormTrain(x as tf.Tensor4D, scaled, offset as tf.Tensor1D, 1e-3, 'none').output;
      return tf.relu(tf.add(main, shortcut!));
    };
    expect(await evaluate('onednn', f, inputs, 2)).toEqual(await evaluate('onednn', parts, inputs, 2));
  });

  test('the mean and biased variance survive a large common offset', async () => {
    await tf.setBackend('onednn');
    const values = valuesOf(7, 5 * 7 * 7 * 8, 1);
    const x = tf.tensor4d(
      values.map((v) => v + 1000),
      [5, 7, 7, 8],
    );
    const { mean, variance } = batchNormTrain(x, tf.ones([8]), tf.zeros([8]), 1e-5, 'none');
    const expected = [0, 0].map(() => new Float64Array(8));
    const shifted = x.dataSync();
    shifted.forEach((v, i) => {
      expected[0]![i % 8]! += v / 245;
    });
    shifted.forEach((v, i) => {
      expected[1]![i % 8]! += (v - expected[0]![i % 8]!) ** 2 / 245;
    });
    expect(relativeDifference(mean.dataSync(), expected[0]!)).toBeLessThan(1e-7);
    expect(relativeDifference(variance.dataSync(), expected[1]!)).toBeLessThan(1e-5);
  });

  test('eval mode', async () => {
    const f: Operation = (x, mean, variance, offset, scale) =>
      tf.batchNorm(
        x as tf.Tensor4D,
        mean as tf.Tensor1D,
        tf.square(variance!) as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      );
    for (const shape of shapes) {
      const inputs = [shape, ...Array.from({ length: 4 }, () => [shape[3]!])];
      const run = async (backend: string) => {
        await tf.setBackend(backend);
        return f(...inputs.map((s, i) => tf.tensor(valuesOf(i, tf.util.sizeFromShape(s), 1), s))).dataSync();
      };
      const expected = await run('cpu');
      expect(relativeDifference(await run('onednn'), expected)).toBeLessThan(1e-5);
    }
  });
});
