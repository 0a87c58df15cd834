import { expect, test } from 'vitest';
import { times, transposed } from '../../src/methods/matrix.js';
import { featureMethod } from '../../src/methods/methods.js';
import { principalComponents } from '../../src/methods/principal-components.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { unit } from '../golden/support.js';

/** Features whose direction k has a spread of spreads[k], mixed by rotations of pairs of directions. */
function featuresOf(spreads: readonly number[], rows: number): Float32Array {
  const dimension = spreads.length;
  const features = Float32Array.from(
    { length: rows * dimension },
    (_, i) => 5 + spreads[i % dimension]! * unit('features', i),
  );
  for (let k = 0; k + 1 < dimension; k++) {
    const [c, s] = [Math.cos(k + 1), Math.sin(k + 1)];
    for (let at = k; at < features.length; at += dimension) {
      const [x, y] = [features[at]!, features[at + 1]!];
      features[at] = c * x - s * y;
      features[at + 1] = s * x + c * y;
    }
  }
  return features;
}

/** The covariance matrix, sum by sum. */
function covariance(features: Float32Array, dimension: number) {
  const rows = features.length / dimension;
  const mean = Array.from({ length: dimension }, (_, j) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += features[row * dimension + j]!;
    return sum / rows;
  });
  const data = Float64Array.from({ length: dimension ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / dimension), at % dimension];
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      sum += (features[row * dimension + i]! - mean[i]!) * (features[row * dimension + j]! - mean[j]!);
    }
    return sum / rows;
  });
  return { rows: dimension, columns: dimension, data };
}

const spreads = Array.from({ length: 60 }, (_, k) => 1 / (1 + k / 4));

test('components are orthonormal eigenvectors of the covariance, the largest variance first', () => {
  const features = featuresOf(spreads, 300);
  const { components } = principalComponents(features, 60, 5);
  const image = times(components, covariance(features, 60));
  const variances = times(image, transposed(components));
  for (let i = 0; i < 5; i++) {
    const variance = variances.data[i * 5 + i]!;
    if (i > 0) expect(variance).toBeLessThan(variances.data[(i - 1) * 5 + i - 1]!);
    for (let k = 0; k < 60; k++) {
      expect(image.data[i * 60 + k]).toBeCloseTo(variance * components.data[i * 60 + k]!, 10);
    }
  }
  const products = times(components, transposed(components));
  for (const [at, value] of products.data.entries()) expect(value).toBeCloseTo(at % 6 === 0 ? 1 : 0, 12);
});

test('no other direction has a larger variance than the last component', () => {
  const features = featuresOf(spreads, 300);
  const five = principalComponents(features, 60, 5).components;
  const all = principalComponents(features, 60, 60).components;
  expect(all.rows).toBe(60);
  for (const [i, value] of five.data.entries()) expect(value).toBeCloseTo(all.data[i]!, 9);
});

test('the largest entry of every component is positive', () => {
  const { components } = principalComponents(featuresOf(spreads, 300), 60, 8);
  for (let i = 0; i < 8; i++) {
    const own = components.data.subarray(i * 60, (i + 1) * 60);
    expect(Math.max(...own)).toBe(Math.max(...own.map(Math.abs)));
  }
});

test('a direction that many features share a little of is found before single features that vary more', () => {
  const [shared, alone] = [50, 30];
  const dimension = shared + alone;
  const features = Float32Array.from({ length: 400 * dimension }, (_, i) => {
    const [row, k] = [Math.floor(i / dimension), i % dimension];
    return k < shared ? unit('shared', row) : 1.5 * unit('alone', i);
  });
  const { components } = principalComponents(features, dimension, 1);
  const largest = [...components.data].map((value, k) => ({ k, value })).sort((a, b) => b.value - a.value);
  expect(largest.slice(0, shared).every(({ k }) => k < shared)).toBe(true);
});

test('equal features have no components', () => {
  expect(principalComponents(new Float32Array(40).fill(3), 4, 2).components.rows).toBe(0);
});

const few = {
  // Three images vary in two directions.
  features: featuresOf([1, 0.8, 0.6, 0.4], 3),
  dimension: 4,
  labels: Int32Array.of(0, 1, 0),
  classCount: 2,
  bits: 3,
  settings: publishedSettings,
  random: {
    uniform: (_: string, index: number) => (unit('u', index) + 1) / 2,
    choose: () => Int32Array.of(2, 0, 1),
  },
};

test('itq refuses features that vary in fewer directions than the codes have bits', async () => {
  const itq = await featureMethod('itq')!.load();
  expect(() => itq.learn(few)).toThrow(
    expect.objectContaining({
      code: 'METHOD_RANK',
      message:
        'the features of the 3 training images vary in 2 directions, but itq needs 3, as many as the codes have bits',
    }),
  );
  expect(itq.learn({ ...few, bits: 2 }).normals).toMatchObject({ rows: 2, columns: 4 });
});

test('sh takes more bits of fewer directions, but refuses equal features', async () => {
  const sh = await featureMethod('sh')!.load();
  expect(sh.learn(few).modes).toMatchObject({ rows: 3 });
  expect(() => sh.learn({ ...few, features: new Float32Array(12).fill(1) })).toThrow(
    expect.objectContaining({
      code: 'METHOD_RANK',
      message: 'the features of the 3 training images vary in 0 directions, but sh needs at least one',
    }),
  );
});

test('sdh uses every training image as an anchor when there are fewer than it asks for', async () => {
  const sdh = await featureMethod('sdh')!.load();
  expect(sdh.learn(few)).toMatchObject({ anchors: { rows: 3 }, projection: { rows: 4, columns: 3 } });
});

test('sdh gives a feature on the mean a code, too', async () => {
  const sdh = await featureMethod('sdh')!.load();
  const learned = sdh.learn(few);
  const codes = sdh.hash(learned, Float32Array.from(learned.mean!.data));
  expect([...codes].every((bit) => Math.abs(bit) === 1)).toBe(true);
});
