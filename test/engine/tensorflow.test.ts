import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import '@tensorflow/tfjs-backend-cpu';
import { loadEngine } from '../../src/engine/loader.js';
import { refuseWithoutGpu } from '../../src/engine/tensorflow/start.js';
import { hasTensorflow, withoutTensorflow } from '../kit/tensorflow.js';
import { relativeDifference, valuesOf } from './support.js';

type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Result of `f` and the gradients of Σ result · weights, computed on `backend`. */
async function evaluate(backend: string, f: Operation, shapes: number[][]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const inputs = shapes.map((shape, index) =>
    tf.tensor(valuesOf(index, tf.util.sizeFromShape(shape), 1), shape),
  );
  const y = f(...inputs);
  const weights = tf.tensor(valuesOf(50, y.size, 1), y.shape);
  const gradients = tf.grads((...xs) => tf.sum(tf.mul(f(...xs), weights)) as tf.Scalar)(inputs);
  return [y, ...gradients].map((tensor) => Float32Array.from(tensor.dataSync()));
}

describe('TensorFlow for GPUs on a machine without one', () => {
  const forGpus = '@tensorflow/tfjs-node-gpu';

  test('is refused, with what to look for', () => {
    expect(() => refuseWithoutGpu(forGpus, false, undefined)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_UNAVAILABLE',
        exitCode: 69,
        message:
          'engine tensorflow cannot run because @tensorflow/tfjs-node-gpu finds no GPU: run `nvidia-smi` to see ' +
          'whether there is a driver for CUDA 12, or set CUDA_VISIBLE_DEVICES=-1 to compute on the processor',
      }),
    );
    expect(() => refuseWithoutGpu(forGpus, false, '3')).toThrow(
      / finds no GPU among CUDA_VISIBLE_DEVICES=3: /,
    );
  });

  test.each([
    ['there is a GPU', forGpus, true, undefined],
    ['none is wanted', forGpus, false, '-1'],
    ['none is wanted, as CUDA also has it', forGpus, false, ''],
    ['the package is the one for processors', '@tensorflow/tfjs-node', false, undefined],
  ])('computes where %s', (_, name, isUsingGpu, visibleDevices) => {
    expect(() => refuseWithoutGpu(name, isUsingGpu, visibleDevices)).not.toThrow();
  });
});

describe.skipIf(!hasTensorflow)(`engine tensorflow${withoutTensorflow}`, () => {
  let description: Awaited<ReturnType<typeof loadEngine>>['description'];
  beforeAll(async () => {
    description = (await loadEngine('tensorflow', { threads: 1 })).description;
  });

  test('describes itself', () => {
    expect(description).toMatchObject({ name: 'tensorflow', threads: 1, deterministic: true });
    expect(description.version).toMatch(/^tfjs \d.*, TensorFlow 2\.\d+\.\d+ in @tensorflow\/tfjs-node/);
  });

  const convolve =
    (stride: number, padding: number): Operation =>
    (x, filter) =>
      tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, padding);
  const pool =
    (size: number, stride: number, padding: number): Operation =>
    (x) =>
      tf.maxPool(x as tf.Tensor4D, size, stride, padding);
  const cases: [name: string, f: Operation, shapes: number[][]][] = [
    [
      'convolution 3, stride 1, padding 1',
      convolve(1, 1),
      [
        [2, 7, 6, 3],
        [3, 3, 3, 4],
      ],
    ],
    [
      'convolution 3, stride 2, padding 1',
      convolve(2, 1),
      [
        [2, 8, 7, 3],
        [3, 3, 3, 4],
      ],
    ],
    [
      'convolution 7, stride 2, padding 3',
      convolve(2, 3),
      [
        [1, 16, 15, 3],
        [7, 7, 3, 4],
      ],
    ],
    ['max pooling 3, stride 2, padding 1', pool(3, 2, 1), [[2, 8, 9, 5]]],
    ['max pooling 2, stride 2, padding 1', pool(2, 2, 1), [[1, 6, 6, 3]]],
  ];
  test.each(cases)('%s and its gradients equal the cpu backend', async (_name, f, shapes) => {
    const expected = await evaluate('cpu', f, shapes);
    const actual = await evaluate('tensorflow', f, shapes);
    for (const [index, values] of actual.entries()) {
      expect(relativeDifference(values, expected[index]!)).toBeLessThan(1e-5);
    }
  });

  test('padding in numbers leaves no tensor behind', async () => {
    await tf.setBackend('tensorflow');
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = tf.zeros<tf.Rank.R4>([1, 6, 6, 3]);
      tf.grad((input) => tf.sum(tf.maxPool(input as tf.Tensor4D, 3, 2, 1)))(x);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
