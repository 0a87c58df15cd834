import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Trunk } from '../../src/model/architecture.js';
import type { BatchNormMoments } from '../../src/model/batch-norm-moments.js';
import { encodeImages } from '../../src/model/encode.js';
import { describeNetwork } from '../../src/model/layout.js';
import { Network, readMoments } from '../../src/model/network.js';
import { goldenWeights } from '../golden/networks.js';
import { relativeError, values } from '../golden/support.js';
import { useEngine } from './engine.js';

/** One layer of every kind. */
const trunk: Trunk = {
  title: 'every layer',
  naming: 'torchvision',
  preprocessing: 'imagenet',
  epsilon: 1e-3,
  layers: [
    {
      kind: 'convolution',
      name: 'a',
      batchNorm: 'an',
      kernel: 3,
      stride: 1,
      padding: 1,
      filters: 6,
      activation: 'relu',
    },
    { kind: 'maxPool', size: 3, stride: 2, padding: 1 },
    {
      kind: 'residual',
      main: [
        {
          kind: 'depthwise',
          name: 'b',
          batchNorm: 'bn',
          kernel: 3,
          stride: 2,
          padding: 'same',
          activation: 'relu6',
        },
        {
          kind: 'convolution',
          name: 'c',
          batchNorm: 'cn',
          kernel: 1,
          stride: 1,
          padding: 0,
          filters: 4,
          activation: 'none',
        },
      ],
      shortcut: [
        {
          kind: 'convolution',
          name: 'd',
          batchNorm: 'dn',
          kernel: 1,
          stride: 2,
          padding: 0,
          filters: 4,
          activation: 'none',
        },
      ],
    },
    {
      kind: 'residual',
      main: [
        {
          kind: 'convolution',
          name: 'e',
          batchNorm: 'en',
          kernel: 3,
          stride: 1,
          padding: 'same',
          filters: 4,
          activation: 'none',
        },
      ],
      shortcut: [],
    },
  ],
};

const layout = describeNetwork(trunk, { bits: 3, height: 16, width: 12 });
const weights = goldenWeights(layout, 'every');
const rows = 3;
const images = values('every/x', [rows, 16, 12, 3], 1);

describe('a network', () => {
  useEngine();
  let network: Network;
  beforeAll(() => {
    network = new Network(layout);
    network.setWeights(weights);
  });
  afterAll(() => network.dispose());

  it("computes in eval mode, given a batch's own moments, what train mode computes", () => {
    const trained = trainingPass(network);
    const variance = new Float32Array(layout.statisticsCount);
    layout.batchNorms.forEach(({ offset, channels }, index) => {
      for (let i = offset; i < offset + channels; i++) {
        variance[i] = trained.moments.squaredDeviations[i]! / trained.moments.counts[index]!;
      }
    });
    network.setWeights({ ...weights, mean: Float32Array.from(trained.moments.mean), variance });
    expect(relativeError(encodeImages(network, images, rows).u, trained.u)).toBeLessThan(1e-5);
    network.setWeights(weights);
  });

  it('reports the moments of what its BatchNorms saw', () => {
    const { mean, counts } = trainingPass(network).moments;
    const filter = layout.parameters[0]!;
    const direct = tf.tidy(() => {
      const values = tf.tensor4d(weights.parameters.slice(0, filter.size), filter.shape as [3, 3, 3, 6]);
      const x = tf.tensor4d(images, [rows, 16, 12, 3]);
      return tf
        .mean(tf.conv2d(x, values, 1, 1), [0, 1, 2])
        .dataSync()
        .slice();
    });
    expect(relativeError(mean.subarray(0, 6), direct)).toBeLessThan(1e-5);
    expect([...counts]).toEqual([rows * 192, rows * 12, rows * 12, rows * 12, rows * 12]);
  });

  it('encodes each image by itself and leaves no tensor behind', () => {
    const together = encodeImages(network, images, rows).u;
    const before = tf.memory().numTensors;
    const size = images.length / rows;
    const alone = Array.from({ length: rows }, (_, row) => [
      ...encodeImages(network, images.slice(row * size, (row + 1) * size), 1).u,
    ]);
    expect(relativeError(alone.flat(), together)).toBeLessThan(1e-5);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('encodes with the weights it was given last', () => {
    const other = { ...weights, variance: weights.variance.map((value) => 2 * value) };
    const before = encodeImages(network, images, rows);
    network.setWeights(other);
    expect(encodeImages(network, images, rows)).not.toEqual(before);
    network.setWeights(weights);
    expect(encodeImages(network, images, rows)).toEqual(before);
  });

  it('refuses a batch of another size', () => {
    expect(() => encodeImages(network, images, rows + 1)).toThrow(
      expect.objectContaining({ code: 'MODEL_SHAPE' }),
    );
  });

  it('releases all of its tensors', () => {
    const before = tf.memory().numTensors;
    const other = new Network(layout);
    other.setWeights(weights);
    encodeImages(other, images, rows);
    other.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** Outputs and moments of one pass in train mode. */
function trainingPass(network: Network): { u: Float32Array; moments: BatchNormMoments } {
  tf.engine().startScope();
  const features = network.forwardTrain(tf.tensor4d(images, [rows, 16, 12, 3]));
  const result = { u: Float32Array.from(features.u.dataSync()), moments: readMoments(layout, [features]) };
  tf.engine().endScope();
  return result;
}
