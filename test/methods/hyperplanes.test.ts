import { expect, test } from 'vitest';
import { gaussians } from '../../src/methods/gaussian.js';
import { featureMean, projections } from '../../src/methods/hyperplanes.js';
import { lsh } from '../../src/methods/lsh.js';
import { zeros } from '../../src/methods/matrix.js';
import { generator } from '../hashing/dense.js';

/** A keyed stream: the same number for the same index. */
function keyed(seed: number, count: number): (index: number) => number {
  const next = generator(seed);
  const numbers = Float64Array.from({ length: count }, next);
  return (index) => numbers[index]!;
}

test('normals are standard normal', () => {
  const normals = gaussians(keyed(1, 80_000), 40_000);
  const moment = (power: number) => normals.reduce((sum, x) => sum + x ** power, 0) / normals.length;
  expect(Math.abs(moment(1))).toBeLessThan(0.02);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.03);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.2);
  expect(gaussians(() => 0, 2).every((x) => x === 0)).toBe(true);
});

test('two features differ in a bit of LSH with probability angle / π', () => {
  const bits = 4000;
  const angle = 0.9;
  const features = Float32Array.of(1, 0, Math.cos(angle), Math.sin(angle));
  const data = gaussians(keyed(2, 4 * bits), 2 * bits);
  const codes = lsh.hash({ mean: zeros(1, 2), normals: { rows: bits, columns: 2, data } }, features);
  let differing = 0;
  for (let k = 0; k < bits; k++) if (codes[k] !== codes[bits + k]) differing++;
  expect(Math.abs(differing / bits - angle / Math.PI)).toBeLessThan(0.03);
});

test('features are taken relative to the mean, and one on it gets +1', () => {
  const features = Float32Array.of(1, 10, 3, 30, 5, 50);
  const mean = featureMean(features, 2);
  expect([...mean.data]).toEqual([3, 30]);
  const normals = { rows: 2, columns: 2, data: Float64Array.of(1, 0, 0, -1) };
  expect([...lsh.hash({ mean, normals }, features)]).toEqual([-1, 1, 1, 1, 1, -1]);
});

test('shapes that do not fit are refused', () => {
  const error = expect.objectContaining({ code: 'METHOD_SHAPE' });
  expect(() => featureMean(new Float32Array(5), 2)).toThrow(error);
  expect(() => projections(new Float32Array(5), zeros(1, 2), zeros(1, 2))).toThrow(error);
  expect(() => projections(new Float32Array(4), zeros(1, 2), zeros(1, 3))).toThrow(error);
});
