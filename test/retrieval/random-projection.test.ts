import { expect, test } from 'vitest';
import { featureMean, gaussianProjection, projectionCodes } from '../../src/retrieval/random-projection.js';
import { generator } from '../hashing/dense.js';

/** A keyed stream: the same number for the same index. */
function keyed(seed: number, count: number): (index: number) => number {
  const next = generator(seed);
  const numbers = Float64Array.from({ length: count }, next);
  return (index) => numbers[index]!;
}

test('projections are standard normal', () => {
  const projection = gaussianProjection(keyed(1, 80_000), 40, 1000);
  const moment = (power: number) => projection.reduce((sum, x) => sum + x ** power, 0) / projection.length;
  expect(Math.abs(moment(1))).toBeLessThan(0.02);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.03);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.2);
  expect(gaussianProjection(() => 0, 1, 2).every((x) => x === 0)).toBe(true);
});

test('two features differ in a bit with probability angle / π', () => {
  const bits = 4000;
  const angle = 0.9;
  const features = Float32Array.of(1, 0, Math.cos(angle), Math.sin(angle));
  const codes = projectionCodes(
    features,
    new Float64Array(2),
    gaussianProjection(keyed(2, 4 * bits), bits, 2),
    bits,
  );
  let differing = 0;
  for (let k = 0; k < bits; k++) if (codes[k] !== codes[bits + k]) differing++;
  expect(Math.abs(differing / bits - angle / Math.PI)).toBeLessThan(0.03);
});

test('features are taken relative to the mean, and one on it gets +1', () => {
  const features = Float32Array.of(1, 10, 3, 30, 5, 50);
  const mean = featureMean(features, 2);
  expect([...mean]).toEqual([3, 30]);
  const projection = Float64Array.of(1, 0, 0, -1);
  expect([...projectionCodes(features, mean, projection, 2)]).toEqual([-1, 1, 1, 1, 1, -1]);
});

test('shapes that do not fit are refused', () => {
  const error = expect.objectContaining({ code: 'RETRIEVAL_SHAPE' });
  expect(() => featureMean(new Float32Array(5), 2)).toThrow(error);
  expect(() => projectionCodes(new Float32Array(5), new Float64Array(2), new Float64Array(2), 1)).toThrow(
    error,
  );
  expect(() => projectionCodes(new Float32Array(4), new Float64Array(2), new Float64Array(3), 1)).toThrow(
    error,
  );
});
