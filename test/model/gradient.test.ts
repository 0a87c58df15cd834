import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Method, methods, pairLoss } from '../../src/methods/methods.js';
import { type BatchNormalisation, usualBatchNormalisation } from '../../src/methods/passes.js';
import { computeGradientAnywhere, trainingOutputsAnywhere } from '../../src/model/any-engine.js';
import type { AdshInput, GradientInput, LeafResult } from '../../src/model/fcaenet.js';
import { computeLoss } from '../../src/model/loss.js';
import { Network } from '../../src/model/network.js';
import { relativeError } from '../golden/support.js';
import { useEngine } from './engine.js';
import {
  bits,
  databaseCodes,
  databaseLabels,
  databaseSummary,
  tinyInput,
  tinyLayout,
  tinyPairInput,
  tinyWeights,
} from './tiny.js';

const rows = 4;

describe('the gradient of a microbatch', () => {
  useEngine();
  let network: Network;
  beforeAll(() => {
    network = new Network(tinyLayout);
    network.setWeights(tinyWeights);
  });
  afterAll(() => network.dispose());

  const gradientOf = (input: GradientInput) => computeGradientAnywhere(network, input);

  it.each([
    ['baseline', 1, 1],
    ['srem', 1, 2],
    ['esrl', 2, 1],
    ['fcaenet', 2, 2],
  ] as const)('of %s runs %i images per anchor in pass 1, in %i passes', async (method, images, passes) => {
    const leaf = await gradientOf(tinyInput(method, rows));
    expect(leaf.moments.passes).toBe(passes);
    // conv1 has 6 × 8 outputs per image; pass 2 sees the erased anchors alone.
    const counts = [images * rows * 48, rows * 48].slice(0, passes);
    const layers = tinyLayout.batchNorms.length;
    expect(counts.map((_count, pass) => leaf.moments.counts[pass * layers])).toEqual(counts);
    expect(leaf.positiveU !== null).toBe(images === 2);
    expect(leaf.erasedU !== null).toBe(passes === 2);
    expect(leaf.masks !== null).toBe(passes === 2);
    expect(leaf.losses[2]! > 0).toBe(images === 2);
    expect(leaf.losses[3]! > 0).toBe(passes === 2);
  });

  const withSettings = (method: Method, settings: Partial<BatchNormalisation>) =>
    gradientOf({
      ...tinyInput(method, rows),
      batchNormalisation: { ...usualBatchNormalisation, ...settings },
    });

  it.each(['esrl', 'fcaenet'] as const)(
    'of %s with positives apart has the anchors of baseline',
    async (method) => {
      const { u, masks, moments } = await withSettings(method, { positives: 'apart' });
      const baseline = await gradientOf(tinyInput('baseline', rows));
      expect(relativeError(u, baseline.u)).toBeLessThan(1e-6);
      if (masks) expect(masks).toEqual((await gradientOf(tinyInput('srem', rows))).masks);
      const passes = method === 'fcaenet' ? 3 : 2;
      expect(moments.passes).toBe(passes);
      const layers = tinyLayout.batchNorms.length;
      const counts = Array.from({ length: passes }, (_, pass) => moments.counts[pass * layers]);
      expect(counts).toEqual(Array(passes).fill(rows * 48));
      const anchors = moments.mean.subarray(0, tinyLayout.statisticsCount);
      expect(relativeError(anchors, baseline.moments.mean)).toBeLessThan(1e-6);
    },
  );

  it.each(['with-anchors', 'apart'] as const)(
    'keeps the moments of the anchors’ pass alone where the others move no statistics (%s)',
    async (positives) => {
      const all = await withSettings('fcaenet', { positives });
      const { moments, ...others } = await withSettings('fcaenet', {
        positives,
        runningStatistics: 'anchors',
      });
      const { moments: every, ...same } = all;
      expect(others).toEqual(same);
      const { statisticsCount: channels, batchNorms } = tinyLayout;
      expect(moments).toEqual({
        passes: 1,
        counts: every.counts.slice(0, batchNorms.length),
        mean: every.mean.slice(0, channels),
        squaredDeviations: every.squaredDeviations.slice(0, channels),
      });
    },
  );

  const ofPairs = methods.filter((method) => pairLoss(method));
  const others = methods.filter((method) => !pairLoss(method));

  it.each(ofPairs)(
    'of %s goes back from known derivatives by z, of the bits of the first phase',
    async (method) => {
      const input = tinyPairInput(method, rows);
      const leaf = await gradientOf(input);
      expect(leaf.u).toEqual(await trainingOutputsAnywhere(network, input.anchors, rows));
      expect([...leaf.losses]).toEqual([0, 0, 0, 0]);
      const { offset } = tinyLayout.parameters.at(-1)!;
      const sums = Array.from({ length: bits }, (_, k) =>
        input.outputGradient.reduce((sum, value, i) => sum + (i % bits === k ? value : 0), 0),
      );
      expect(relativeError(leaf.gradient.subarray(offset, offset + bits), sums)).toBeLessThan(1e-5);
      const { u } = await gradientOf(tinyInput('baseline', rows));
      expect(relativeError(leaf.u.map(Math.tanh), u)).toBeLessThan(1e-6);
    },
  );

  it('by known derivatives is that of the loss which has them', async () => {
    const { gradient, u } = await gradientOf(tinyInput('baseline', rows));
    const { gradients } = computeLoss(
      { anchor: u, positive: null, erased: null },
      tinyInput('baseline', rows),
    );
    const known = gradients.anchor.map((slope, i) => slope * (1 - u[i]! ** 2));
    const same = await gradientOf({ ...tinyPairInput('dsh', rows), outputGradient: known });
    expect(relativeError(same.gradient, gradient)).toBeLessThan(1e-5);
  });

  it('refuses known derivatives of another length', async () => {
    const outputGradient = new Float32Array(3);
    await expect(gradientOf({ ...tinyPairInput('dsh', rows), outputGradient })).rejects.toMatchObject({
      code: 'MODEL_SHAPE',
      message: `a gradient by outputs has 3 elements, expected ${rows * bits}`,
    });
  });

  it.each(others)('of %s equals equation 14 at the hash layer', async (method) => {
    const input = tinyInput(method, rows);
    const leaf = await gradientOf(input);
    const { offset } = tinyLayout.parameters.at(-1)!;
    const bias = leaf.gradient.subarray(offset, offset + bits);
    expect(relativeError(bias, biasGradient(input, leaf))).toBeLessThan(1e-5);
  });

  it.each(methods)('of %s leaves no tensor behind', async (method) => {
    const input = pairLoss(method) ? tinyPairInput(method, rows) : tinyInput(method, rows);
    const compute = async () => {
      await trainingOutputsAnywhere(network, input.anchors, rows);
      await gradientOf(input);
    };
    // The first one of a method may make a graph, whose variables stay.
    await compute();
    const before = tf.memory().numTensors;
    await compute();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is the same each time', async () => {
    const input = tinyInput('fcaenet', rows);
    expect(await gradientOf(input)).toEqual(await gradientOf(input));
  });

  it('of fcaenet with β = 0 is that of esrl', async () => {
    const unweighted = await gradientOf({ ...tinyInput('fcaenet', rows), beta: 0 });
    const { gradient } = await gradientOf(tinyInput('esrl', rows));
    expect(relativeError(unweighted.gradient, gradient)).toBeLessThan(1e-6);
  });

  it.each([
    ['fcaenet', null, 'MODEL_POSITIVES', 'method fcaenet needs positives and got none'],
    [
      'baseline',
      tinyInput('esrl', rows).positives,
      'MODEL_POSITIVES',
      'method baseline got positives it does not use',
    ],
    ['esrl', new Float32Array(7), 'MODEL_SHAPE', 'a batch of positives has 7 elements, expected '],
  ] as const)('of %s refuses positives that do not fit', async (method, positives, code, text) => {
    await expect(gradientOf({ ...tinyInput(method, rows), positives })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
  });

  it('refuses weights of another length', () => {
    const weights = { ...tinyWeights, mean: new Float32Array(3) };
    expect(() => network.setWeights(weights)).toThrow(
      expect.objectContaining({
        code: 'MODEL_SHAPE',
        message: `a vector of running means has 3 elements, expected ${tinyLayout.statisticsCount}`,
      }),
    );
  });
});

/** Equation 14 in its dense form, over batch · n, summed over the rows of all branches. */
function biasGradient(input: AdshInput, leaf: LeafResult): number[] {
  const { ratio, databaseSize } = databaseSummary;
  const sum = new Array<number>(bits).fill(0);
  for (let row = 0; row < rows; row++) {
    const u = leaf.u.subarray(row * bits, (row + 1) * bits);
    const dense = new Array<number>(bits).fill(0);
    for (let item = 0; item < databaseSize; item++) {
      const v = databaseCodes.subarray(item * bits, (item + 1) * bits);
      const similarity = databaseLabels[item] === input.labels[row] ? 1 : -ratio;
      const residual = u.reduce((total, value, k) => total + value * v[k]!, 0) - bits * similarity;
      for (let k = 0; k < bits; k++) dense[k]! += 2 * residual * v[k]!;
    }
    for (let k = 0; k < bits; k++) {
      const i = row * bits + k;
      const slope = 1 - u[k]! ** 2;
      sum[k]! +=
        (slope * (dense[k]! + 2 * input.gamma * (u[k]! - input.ownCodes[i]!))) / (rows * databaseSize);
      for (const [weight, other] of [
        [input.alpha, leaf.positiveU?.[i]],
        [input.beta, leaf.erasedU?.[i]],
      ] as const) {
        if (other === undefined) continue;
        const pull = (2 * weight * (u[k]! - other)) / (rows * bits);
        sum[k]! += slope * pull - (1 - other ** 2) * pull;
      }
    }
  }
  return sum;
}
