import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { attended } from '../../src/model/heads/saliency.js';
import { useEngine } from './engine.js';

useEngine();

test('each value of a map covers 8 × 8 pixels, also where the picture ends inside them', () => {
  const [height, width] = [33, 17];
  const [mapHeight, mapWidth] = [5, 3];
  const map = Array.from({ length: 2 * mapHeight * mapWidth }, (_, index) => Math.sin(7 * index) * 3 + 1);
  const seen = attended(
    tf.ones([2, height, width, 3]),
    tf.tensor4d(map, [2, mapHeight, mapWidth, 1]),
  ).arraySync();
  for (const picture of [0, 1]) {
    const own = map.slice(picture * mapHeight * mapWidth, (picture + 1) * mapHeight * mapWidth);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length;
    for (const [y, x] of [
      [0, 0],
      [7, 8],
      [8, 7],
      [31, 16],
      [32, 0],
      [32, 16],
    ] as const) {
      const value = own[Math.floor(y / 8) * mapWidth + Math.floor(x / 8)]!;
      const factor = 1 + Math.tanh((value - mean) / Math.sqrt(variance + 0.01) / 4);
      for (const channel of seen[picture]![y]![x]!) expect(channel).toBeCloseTo(factor, 5);
    }
  }
});

test('a map without contrast leaves the picture as it is, and has a finite derivative', () => {
  const images = tf.tensor4d([1, -2, 3, 0.5, 0, 4, 2, 2, 2, -1, 1, 0], [1, 2, 2, 3]);
  const map = tf.fill([1, 1, 1, 1], 7) as tf.Tensor4D;
  expect(attended(images, map).dataSync()).toEqual(images.dataSync());
  const derivative = tf.grad((x) => tf.sum(attended(images, x as tf.Tensor4D)))(map);
  expect(Array.from(derivative.dataSync()).every(Number.isFinite)).toBe(true);
});
