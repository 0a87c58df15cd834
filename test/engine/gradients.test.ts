import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { batchNormTrain } from '../../src/engine/batch-norm.js';
import { registerGradients } from '../../src/engine/gradients.js';
import { relativeDifference, valuesOf } from './support.js';

type Function4 = (...inputs: tf.Tensor[]) => tf.Tensor;

const cases: { name: string; shapes: number[][]; f: Function4; positive?: boolean }[] = [
  { name: 'Add with broadcasting', shapes: [[2, 3], [3]], f: (a, b) => tf.add(a!, b!) },
  {
    name: 'Sub with broadcasting',
    shapes: [
      [2, 3],
      [2, 1],
    ],
    f: (a, b) => tf.sub(a!, b!),
  },
  {
    name: 'Multiply with broadcasting',
    shapes: [
      [2, 3],
      [1, 3],
    ],
    f: (a, b) => tf.mul(a!, b!),
  },
  { name: 'RealDiv', shapes: [[2, 3], [3]], positive: true, f: (a, b) => tf.div(a!, b!) },
  { name: 'AddN', shapes: [[4], [4], [4]], f: (...inputs) => tf.addN(inputs) },
  { name: 'Square', shapes: [[5]], f: (x) => tf.square(x!) },
  { name: 'Tanh', shapes: [[5]], f: (x) => tf.tanh(x!) },
  { name: 'Relu', shapes: [[9]], f: (x) => tf.relu(x!) },
  { name: 'Relu6', shapes: [[9]], f: (x) => tf.relu6(tf.mul(x!, 9)) },
  { name: 'Sum over all', shapes: [[2, 3]], f: (x) => tf.sum(x!) },
  { name: 'Sum over one axis', shapes: [[2, 3, 2]], f: (x) => tf.sum(x!, 1) },
  { name: 'Mean over two axes', shapes: [[2, 3, 2, 2]], f: (x) => tf.mean(x!, [1, 2]) },
  { name: 'Reshape', shapes: [[2, 3]], f: (x) => tf.reshape(x!, [3, 2]) },
  { name: 'Transpose', shapes: [[2, 3, 4]], f: (x) => tf.transpose(x!, [2, 0, 1]) },
  { name: 'Cast and clone', shapes: [[3]], f: (x) => tf.cast(tf.clone(x!), 'float32') },
  {
    name: 'PadV2',
    shapes: [[2, 3]],
    f: (x) =>
      tf.pad(x!, [
        [1, 0],
        [0, 2],
      ]),
  },
  { name: 'Slice', shapes: [[4, 3]], f: (x) => tf.slice(x!, [1, 0], [2, -1]) },
  {
    name: 'Concat',
    shapes: [
      [2, 3],
      [1, 3],
    ],
    f: (a, b) => tf.concat([a!, b!], 0),
  },
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `BatchMatMul ${transposeA} ${transposeB}`,
      shapes: [transposeA ? [4, 2] : [2, 4], transposeB ? [3, 4] : [4, 3]],
      f: ((a, b) => tf.matMul(a!, b!, transposeA, transposeB)) as Function4,
    })),
  ),
  {
    name: 'Conv2D',
    shapes: [
      [1, 5, 4, 2],
      [3, 3, 2, 3],
    ],
    f: (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same'),
  },
  {
    name: 'DepthwiseConv2dNative',
    shapes: [
      [1, 5, 4, 2],
      [3, 3, 2, 1],
    ],
    f: (x, filter) => tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'),
  },
  { name: 'AvgPool', shapes: [[1, 4, 4, 2]], f: (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid') },
];

beforeAll(async () => {
  await tf.setBackend('cpu');
  registerGradients();
});

/** d(sum(f · weights))/d(inputs) by the tape and by central differences. */
function compare(f: Function4, inputs: tf.Tensor[]): number {
  const weights = tf.tidy(() => tf.tensor(valuesOf(99, f(...inputs).size, 1), f(...inputs).shape));
  const loss = (...tensors: tf.Tensor[]) => tf.sum(tf.mul(f(...tensors), weights)) as tf.Scalar;
  const analytic = tf.grads(loss)(inputs);
  const step = 2 ** -6;
  let worst = 0;
  for (const [position, input] of inputs.entries()) {
    const values = input.dataSync() as Float32Array;
    const numeric = Float32Array.from(values, (_value, index) => {
      const at = (delta: number) => {
        const moved = Float32Array.from(values);
        moved[index]! += delta;
        const changed = inputs.map((tensor, other) =>
          other === position ? tf.tensor(moved, tensor.shape) : tensor,
        );
        return loss(...changed).dataSync()[0]!;
      };
      return (at(step) - at(-step)) / (2 * step);
    });
    worst = Math.max(worst, relativeDifference(analytic[position]!.dataSync() as Float32Array, numeric));
  }
  return worst;
}

describe('registered gradients equal central differences', () => {
  test.each(cases)('$name', ({ shapes, f, positive }) => {
    const inputs = shapes.map((shape, index) =>
      tf.tensor(
        valuesOf(index + 1, tf.util.sizeFromShape(shape), 1).map((v) => (positive ? 2 + v : v)),
        shape,
      ),
    );
    expect(compare(f, inputs)).toBeLessThan(2e-3);
  });

  test('a tensor used by both operands of a sum and again later', () => {
    const x = tf.tensor1d([0.5, -0.25, 1]);
    expect(compare((a) => tf.add(tf.add(tf.mul(a!, 2), a!), tf.square(tf.add(a!, a!))), [x])).toBeLessThan(
      2e-3,
    );
  });
});

describe('max pooling', () => {
  test('sends the gradient to each largest input', () => {
    const x = tf.tensor4d([1, 4, 2, 3], [1, 2, 2, 1]);
    const gradient = tf.grad((a) => tf.maxPool(a as tf.Tensor4D, 2, 1, 'same'))(x);
    expect([...gradient.dataSync()]).toEqual([0, 2, 0, 2]);
  });
});

describe('relu6', () => {
  test('has derivative 0 at 0 and at 6', () => {
    const gradient = tf.grad((x) => tf.relu6(x))(tf.tensor1d([-1, 0, 3, 6, 7]));
    expect([...gradient.dataSync()]).toEqual([0, 0, 1, 0, 0]);
  });
});

describe('batchNormTrain from tfjs-core operations', () => {
  const shape: [number, number, number, number] = [3, 2, 3, 4];
  const reference = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, activation: string) => {
    const mean = tf.mean(x, [0, 1, 2]);
    const centred = tf.sub(x, mean);
    const variance = tf.mean(tf.mul(centred, centred), [0, 1, 2]);
    const linear = tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-3))), scale), offset);
    return activation === 'relu' ? tf.relu(linear) : activation === 'relu6' ? tf.relu6(linear) : linear;
  };

  test.each(['none', 'relu', 'relu6'] as const)('%s: values and statistics', (activation) => {
    const x = tf.tensor4d(valuesOf(1, 72, 3), shape);
    const [scale, offset] = [tf.tensor1d(valuesOf(2, 4, 2)), tf.tensor1d(valuesOf(3, 4, 2))];
    const { output, mean, variance } = batchNormTrain(x, scale, offset, 1e-3, activation);
    const moments = tf.moments(x, [0, 1, 2]);
    expect(
      relativeDifference(output.dataSync(), reference(x, scale, offset, activation).dataSync()),
    ).toBeLessThan(1e-6);
    expect(relativeDifference(mean.dataSync(), moments.mean.dataSync())).toBeLessThan(1e-6);
    expect(relativeDifference(variance.dataSync(), moments.variance.dataSync())).toBeLessThan(1e-6);
  });

  test.each(['none', 'relu', 'relu6'] as const)(
    '%s: gradients equal those of the plain formula',
    (activation) => {
      tf.registerGradient({
        kernelName: 'Rsqrt',
        inputsToSave: ['x'],
        gradFunc: (dy, [x]) => ({ x: () => tf.div(dy as tf.Tensor, tf.mul(-2, tf.pow(x!, 1.5))) }),
      });
      const inputs = [
        tf.tensor4d(valuesOf(1, 72, 3), shape),
        tf.tensor1d([3, 2, -1, 4]),
        tf.tensor1d([1, -1, 2, 5]),
      ];
      const weights = tf.tensor4d(valuesOf(4, 72, 1), shape);
      const actual = tf.grads((a, b, c) => {
        const result = batchNormTrain(a as tf.Tensor4D, b as tf.Tensor1D, c as tf.Tensor1D, 1e-3, activation);
        return tf.mul(result.output, weights);
      })(inputs);
      const expected = tf.grads((a, b, c) => tf.mul(reference(a!, b!, c!, activation), weights))(inputs);
      for (const [index, gradient] of actual.entries()) {
        expect(relativeDifference(gradient.dataSync(), expected[index]!.dataSync())).toBeLessThan(1e-5);
      }
    },
  );

  test('leaves no tensors behind but its results and the gradients', () => {
    const x = tf.tensor4d(valuesOf(1, 72, 3), shape);
    const [scale, offset] = [tf.tensor1d(valuesOf(2, 4, 2)), tf.tensor1d(valuesOf(3, 4, 2))];
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      tf.grads((...inputs) => {
        const [a, b, c] = inputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
        return batchNormTrain(a, b, c, 1e-3, 'relu').output;
      })([x, scale, offset]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
