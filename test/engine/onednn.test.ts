import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { batchNormTrain } from '../../src/engine/batch-norm.js';
import { loadEngine } from '../../src/engine/loader.js';
import { difference, evaluate, type Operation, type Shape } from './against-cpu.js';
import { valuesOf } from './support.js';

beforeAll(async () => {
  await loadEngine('onednn', { threads: 1 });
});

type Padding = 'same' | 'valid' | number | [[0, 0], [number, number], [number, number], [0, 0]];

describe('convolution and its gradients equal the cpu backend', () => {
  const cases: [input: Shape, filter: Shape, stride: number, padding: Padding][] = [
    [[2, 8, 8, 3], [3, 3, 3, 8], 1, 'same'],
    [[2, 8, 8, 3], [3, 3, 3, 8], 2, 'same'],
    [[2, 9, 7, 3], [3, 3, 3, 8], 2, 'same'],
    [[2, 9, 7, 5], [3, 3, 5, 6], 2, 'valid'],
    [[1, 8, 8, 4], [3, 3, 4, 16], 2, 'valid'],
    [[2, 7, 7, 16], [3, 3, 16, 16], 1, 1],
    [[2, 8, 8, 16], [3, 3, 16, 32], 2, 1],
    [[1, 16, 16, 3], [7, 7, 3, 16], 2, 3],
    [
      [1, 9, 9, 2],
      [3, 3, 2, 4],
      2,
      [
        [0, 0],
        [0, 1],
        [1, 0],
        [0, 0],
      ],
    ],
    [[2, 5, 6, 8], [1, 1, 8, 16], 1, 'same'],
    [[3, 5, 5, 7], [1, 1, 7, 5], 1, 'valid'],
    [[2, 8, 8, 16], [1, 1, 16, 32], 2, 'valid'],
    [[2, 7, 5, 16], [1, 1, 16, 8], 2, 'same'],
    [[1, 4, 4, 3], [1, 1, 3, 4], 1, 1],
    // From here on filters so large, or maps so small, that the project's own products of taps compute them:
    // maps on which most taps fall outside, taps that all do, rows and channels that leave part of a tile, and
    [[7, 2, 2, 96], [3, 3, 96, 96], 1, 1],
    [[2, 3, 4, 64], [3, 3, 64, 128], 2, 'same'],
    [[3, 1, 1, 32], [5, 5, 32, 96], 1, 2],
    [[2, 4, 3, 75], [3, 3, 75, 128], 1, 'valid'],
    [
      [1, 5, 4, 64],
      [3, 3, 64, 128],
      2,
      [
        [0, 0],
        [0, 1],
        [1, 0],
        [0, 0],
      ],
    ],
    // more channels, and more rows, than one block of them holds.
    [[1, 2, 1, 288], [3, 1, 288, 96], 1, 'same'],
    [[1, 1, 2, 96], [1, 3, 96, 288], 1, 'same'],
    [[1, 19, 14, 64], [1, 1, 64, 128], 1, 'valid'],
    // And from here on those that Winograd's algorithm computes: even and odd sizes, every padding, more patches than
    // are transformed at once.
    [[1, 4, 4, 64], [3, 3, 64, 64], 1, 1],
    [[1, 7, 6, 64], [3, 3, 64, 128], 1, 'same'],
    [[1, 10, 9, 64], [3, 3, 64, 64], 1, 'valid'],
    [[1, 6, 7, 64], [3, 3, 64, 64], 1, 2],
    [
      [1, 6, 6, 64],
      [3, 3, 64, 64],
      1,
      [
        [0, 0],
        [2, 0],
        [0, 1],
        [0, 0],
      ],
    ],
    [[2, 23, 25, 32], [3, 3, 32, 32], 1, 1],
  ];
  test.each(cases)('input %j, filter %j, stride %j, padding %j', async (input, filter, stride, padding) => {
    const f: Operation = (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding);
    expect(await difference(f, [input, filter])).toBeLessThan(1e-5);
  });

  const threaded: [input: Shape, filter: Shape][] = [
    [
      [3, 2, 4, 96],
      [3, 3, 96, 128],
    ],
    [
      [3, 9, 8, 64],
      [3, 3, 64, 128],
    ],
  ];
  test.each(threaded)('input %j, filter %j: the same bits on one thread, two and five', async (...shapes) => {
    const f: Operation = (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 1);
    const digests = async () =>
      (await evaluate('onednn', f, shapes, 1)).map((values) =>
        createHash('sha256').update(values).digest('hex'),
      );
    const expected = await digests();
    try {
      for (const threads of [2, 5]) {
        await loadEngine('onednn', { threads });
        expect(await digests()).toEqual(expected);
      }
    } finally {
      await loadEngine('onednn', { threads: 1 });
    }
  });
});

describe('depthwise convolution and its gradients equal the cpu backend', () => {
  const cases: [input: Shape, kernel: [number, number], stride: number, padding: Padding][] = [
    [[2, 8, 8, 8], [3, 3], 1, 'same'],
    [[2, 8, 8, 8], [3, 3], 2, 'same'],
    [[2, 9, 7, 16], [3, 3], 2, 'same'],
    [[1, 9, 7, 16], [3, 3], 1, 'valid'],
    [[1, 9, 8, 24], [3, 3], 2, 'valid'],
    [[2, 5, 6, 4], [3, 3], 1, 1],
    [[1, 6, 5, 3], [3, 3], 2, 1],
    [[1, 2, 2, 32], [3, 3], 1, 'same'],
    [[1, 1, 1, 40], [3, 3], 1, 'same'],
    [[1, 2, 3, 17], [3, 3], 2, 'same'],
    [[1, 7, 7, 6], [5, 5], 1, 'same'],
    [[1, 8, 7, 9], [5, 3], 2, 'same'],
    [[1, 5, 5, 8], [2, 2], 2, 'valid'],
  ];
  test.each(cases)('input %j, kernel %j, stride %j, padding %j', async (input, kernel, stride, padding) => {
    const f: Operation = (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding);
    expect(await difference(f, [input, [...kernel, input[3]!, 1]])).toBeLessThan(1e-5);
  });

  test('a channel multiplier of 2 is left to the cpu kernel', async () => {
    const f: Operation = (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same');
    expect(
      await difference(f, [
        [1, 4, 4, 3],
        [3, 3, 3, 2],
      ]),
    ).toBeLessThan(1e-6);
  });
});

describe('the other native kernels equal the cpu backend', () => {
  const pool =
    (size: number, stride: number, padding: 'same' | 'valid' | number): Operation =>
    (x) =>
      tf.maxPool(x as tf.Tensor4D, size, stride, padding);
  const cases: [name: string, f: Operation, shapes: Shape[]][] = [
    ['max pooling 3, stride 2, padding 1', pool(3, 2, 1), [[2, 8, 9, 5]]],
    ['max pooling 3, stride 2, same', pool(3, 2, 'same'), [[1, 8, 7, 70]]],
    ['max pooling 2, stride 2, valid', pool(2, 2, 'valid'), [[2, 6, 7, 16]]],
    ['average pooling', (x) => tf.avgPool(x as tf.Tensor4D, 4, 4, 'valid'), [[2, 4, 4, 16]]],
    ['relu', (x) => tf.relu(x!), [[3, 37]]],
    ['relu6', (x) => tf.relu6(tf.mul(x!, 9)), [[3, 37]]],
    ['tanh', (x) => tf.tanh(x!), [[3, 37]]],
    [
      'add',
      (a, b) => tf.add(a!, b!),
      [
        [3, 37],
        [3, 37],
      ],
    ],
    ['add, bias', (a, b) => tf.add(a!, b!), [[3, 37], [37]]],
    ['add, leading broadcast', (a, b) => tf.add(a!, b!), [[37], [3, 37]]],
    [
      'subtract',
      (a, b) => tf.sub(a!, b!),
      [
        [3, 37],
        [3, 37],
      ],
    ],
    [
      'multiply',
      (a, b) => tf.mul(a!, b!),
      [
        [3, 37],
        [3, 37],
      ],
    ],
    [
      'multiply, column',
      (a, b) => tf.mul(a!, b!),
      [
        [3, 37],
        [3, 1],
      ],
    ],
    ['divide by a scalar', (a, b) => tf.div(a!, tf.add(b!, 3)), [[3, 37], []]],
    [
      'sum of several',
      (...inputs) => tf.addN(inputs),
      [
        [5, 3],
        [5, 3],
        [5, 3],
      ],
    ],
    ['sum of all', (x) => tf.sum(x!), [[4, 5, 6]]],
    ['sum over a middle axis, kept', (x) => tf.sum(x!, 1, true), [[4, 5, 6]]],
    ['sum over axes apart', (x) => tf.sum(x!, [0, 2]), [[4, 5, 6]]],
    ['global average', (x) => tf.mean(x!, [1, 2]), [[2, 4, 3, 16]]],
    ['average over channels', (x) => tf.mean(x!, 3), [[2, 4, 3, 16]]],
    [
      'matrix product',
      (a, b) => tf.matMul(a!, b!),
      [
        [5, 7],
        [7, 3],
      ],
    ],
    [
      'matrix product, a turned',
      (a, b) => tf.matMul(a!, b!, true),
      [
        [7, 5],
        [7, 3],
      ],
    ],
    [
      'matrix product, b turned',
      (a, b) => tf.matMul(a!, b!, false, true),
      [
        [5, 7],
        [3, 7],
      ],
    ],
    [
      'matrix product, both turned',
      (a, b) => tf.matMul(a!, b!, true, true),
      [
        [7, 5],
        [3, 7],
      ],
    ],
    [
      'matrix products',
      (a, b) => tf.matMul(a!, b!),
      [
        [2, 5, 7],
        [2, 7, 3],
      ],
    ],
    ['reshape and clone', (x) => tf.clone(tf.reshape(x!, [6, 2])), [[3, 4]]],
    ['slice of rows', (x) => tf.slice(x!, [1], [2]), [[4, 5]]],
    ['slice of a box', (x) => tf.slice(x!, [1, 0, 2], [2, -1, 3]), [[4, 5, 6]]],
    ['slice of columns', (x) => tf.slice(x!, [0, 2], [-1, 2]), [[4, 5]]],
    [
      'concat of rows',
      (a, b) => tf.concat([a!, b!], 0),
      [
        [2, 3],
        [4, 3],
      ],
    ],
    [
      'concat of columns',
      (a, b) => tf.concat([a!, b!], -1),
      [
        [2, 3],
        [2, 5],
      ],
    ],
    ['transpose', (x) => tf.transpose(x!, [2, 0, 1]), [[2, 3, 4]]],
    [
      'pad',
      (x) =>
        tf.pad(x!, [
          [1, 2],
          [0, 1],
        ]),
      [[2, 3]],
    ],
    ['broadcast of channels', (x) => tf.broadcastTo(x!, [2, 3, 5, 7] as never), [[2, 1, 1, 7]]],
    ['broadcast of a scalar', (x) => tf.broadcastTo(x!, [2, 3] as never), [[]]],
  ];
  test.each(cases)('%s', async (_name, f, shapes) => {
    if (_name.startsWith('broadcast')) {
      await tf.setBackend('onednn');
      const x = tf.tensor(valuesOf(0, tf.util.sizeFromShape(shapes[0]!), 1), shapes[0]!);
      const actual = f(x);
      const expected = tf.mul(x, tf.ones(actual.shape));
      expect([...actual.dataSync()]).toEqual([...expected.dataSync()]);
      return;
    }
    expect(await difference(f, shapes)).toBeLessThan(1e-5);
  });

  test('a kernel given NaN answers NaN', async () => {
    await tf.setBackend('onednn');
    const x = tf.tensor4d(new Float32Array(32).fill(Number.NaN), [2, 2, 2, 4]);
    for (const y of [tf.relu6(x), batchNormTrain(x, tf.ones([4]), tf.ones([4]), 1e-3, 'relu6').output]) {
      expect([...y.dataSync()].every(Number.isNaN)).toBe(true);
    }
  });
});
