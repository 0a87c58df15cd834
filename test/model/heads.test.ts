import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { encodeImagesAnywhere } from '../../src/model/any-engine.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { expectedTensors } from '../../src/model/weights/expected.js';
import { backbones } from '../../src/run/training-run.js';
import { useEngine } from './engine.js';

const settings = { width: 0.25, bits: 12, imageSize: 32 } as const;

/** Features of the hash layer: both deep maps, and five means of the fused map, as wide as the second stage. */
const widths = {
  resnet18: 256 + 512 + 5 * 128,
  resnet50: 1024 + 2048 + 5 * 512,
  mobilenet_v1: 128 + 256 + 5 * 64,
};

describe('the pyramids of FPH', () => {
  useEngine();

  it.each(backbones)('have four stages of %s to take maps of', (backbone) => {
    const layout = describeModel({ ...settings, backbone }, 'pyramids');
    expect(layout.head.width).toBe(widths[backbone]);
    expect(layout.parameters.at(-2)!.shape).toEqual([widths[backbone], settings.bits]);
  });

  it.each(backbones)('leave the weight file of %s as it is', (backbone) => {
    const namesWith = (head: 'pooled' | 'pyramids') =>
      expectedTensors(describeModel({ ...settings, backbone }, head), new Map()).map(({ name }) => name);
    expect(namesWith('pyramids')).toEqual(namesWith('pooled'));
  });

  it.each([33, 47, 70])('fit one another where sizes are odd: %i pixels', async (imageSize) => {
    const layout = describeModel({ ...settings, backbone: 'mobilenet_v1', imageSize }, 'pyramids');
    const network = new Network(layout);
    network.setWeights(initialWeights(layout, new KeyedRandom(0)));
    const images = new Float32Array(2 * imageSize * imageSize * 3).fill(0.5);
    const before = tf.memory().numTensors;
    const { u } = await encodeImagesAnywhere(network, images, 2);
    expect(u.length).toBe(2 * settings.bits);
    expect(u.subarray(0, settings.bits)).toEqual(u.subarray(settings.bits));
    expect(u.every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(tf.memory().numTensors).toBe(before);
    network.dispose();
  });
});
