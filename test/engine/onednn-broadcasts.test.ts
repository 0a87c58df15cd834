import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadEngine } from '../../src/engine/loader.js';
import type { Operation, Shape } from './against-cpu.js';
import { valuesOf } from './support.js';

beforeAll(async () => {
  await loadEngine('onednn', { threads: 1 });
});

describe('kernels that move values or repeat them have the bits of the cpu backend', () => {
  const threefold = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.tile(tf.reshape(x, [-1, 1]), [1, 3]), [-1]);
  const cases: [name: string, f: Operation, shapes: Shape[]][] = [
    [
      'product with a value for each pixel',
      (a, b) => tf.mul(a!, b!),
      [
        [2, 5, 4, 3],
        [2, 5, 4, 1],
      ],
    ],
    [
      'product with a value for each square',
      (a, b) => tf.mul(a!, b!),
      [
        [2, 3, 1, 4, 1],
        [1, 1, 8, 1, 24],
      ],
    ],
    [
      'sum of a row and a column',
      (a, b) => tf.add(a!, b!),
      [
        [1, 37],
        [5, 1],
      ],
    ],
    ['a value less a table', (a, b) => tf.sub(a!, b!), [[], [3, 20]]],
    [
      'quotient by a value for each picture',
      (a, b) => tf.div(a!, tf.add(b!, 3)),
      [
        [2, 4, 5, 1],
        [2, 1, 1, 1],
      ],
    ],
    [
      'a vector that is repeated along two axes',
      (a, b) => tf.mul(a!, b!),
      [
        [2, 3, 20],
        [1, 20],
      ],
    ],
    ['a product with itself', (x) => tf.mul(x!, x!), [[2, 3]]],
    [
      'an empty table and a row',
      (a, b) => tf.add(a!, b!),
      [
        [0, 3],
        [1, 3],
      ],
    ],
    ['sum over the axes of squares', (x) => tf.sum(x!, [2, 4]), [[2, 3, 8, 2, 24]]],
    ['sum over the first and the last axis, kept', (x) => tf.sum(x!, [-1, 0], true), [[4, 5, 6]]],
    ['transpose of four axes', (x) => tf.transpose(x!, [0, 2, 1, 3]), [[2, 3, 4, 20]]],
    ['transpose that turns all axes', (x) => tf.transpose(x!, [3, 2, 1, 0]), [[2, 3, 4, 5]]],
    ['transpose of axes of one value', (x) => tf.transpose(x!, [1, 0, 2]), [[1, 3, 1]]],
    [
      'pad of three axes',
      (x) =>
        tf.pad(
          x!,
          [
            [0, 1],
            [2, 0],
            [1, 1],
          ],
          -2,
        ),
      [[2, 3, 18]],
    ],
    [
      'pad of nothing',
      (x) =>
        tf.pad(x!, [
          [0, 0],
          [0, 0],
        ]),
      [[2, 3]],
    ],
    [
      'pad of an empty table',
      (x) =>
        tf.pad(x!, [
          [1, 0],
          [0, 0],
        ]),
      [[0, 3]],
    ],
    ['slice of a corner', (x) => tf.slice(x!, [0, 1, 2, 0], [2, 2, 2, 17]), [[2, 3, 4, 17]]],
    ['slice of one value', (x) => tf.slice(x!, [1, 2], [1, 1]), [[2, 3]]],
    ['values thrice', (x) => threefold(x!), [[7]]],
  ];
  test.each(cases)('%s', async (_name, f, shapes) => {
    const results = async (backend: string) => {
      await tf.setBackend(backend);
      const y = f(
        ...shapes.map((shape, index) => tf.tensor(valuesOf(index, tf.util.sizeFromShape(shape), 1), shape)),
      );
      return { shape: y.shape, values: [...y.dataSync()] };
    };
    expect(await results('onednn')).toEqual(await results('cpu'));
  });

  test('an operand that is written out for a product is given back', async () => {
    await tf.setBackend('onednn');
    const [a, b] = [tf.ones([64, 1]), tf.ones([1, 64])];
    const buffers = tf.backend().numDataIds();
    tf.mul(a, b).dispose();
    expect(tf.backend().numDataIds()).toBe(buffers);
  });
});
