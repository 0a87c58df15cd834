import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkHead } from '../../src/methods/method.js';
import { usualBatchNormalisation } from '../../src/methods/passes.js';
import {
  computeGradientAnywhere,
  encodeImagesAnywhere,
  trainingOutputsAnywhere,
} from '../../src/model/any-engine.js';
import type { Trunk } from '../../src/model/architecture.js';
import { describeNetwork } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { useEngine } from '../model/engine.js';
import { goldenWeights, inTorchOrder, toChannelsLast } from './networks.js';
import { relativeError, values } from './support.js';

interface HeadsGolden {
  rows: number;
  height: number;
  width: number;
  bits: number;
  cases: {
    head: NetworkHead;
    prefix: string;
    z: number[];
    u: number[];
    gradients: Record<string, number[]>;
  }[];
}

// Made in this project, so it is in no other folder of golden vectors.
const golden = JSON.parse(readFileSync(new URL('./heads.json', import.meta.url), 'utf8')) as HeadsGolden;
const { rows, height, width, bits } = golden;

/** Five convolutions that halve the picture. */
const trunk: Trunk = {
  title: 'five_convolutions',
  naming: 'torchvision',
  preprocessing: 'imagenet',
  epsilon: 1e-5,
  layers: [3, 3, 4, 4, 5].map((filters, index) => ({
    kind: 'convolution',
    name: `conv${index + 1}`,
    batchNorm: `bn${index + 1}`,
    kernel: 3,
    stride: 2,
    padding: 1,
    filters,
    activation: 'relu',
  })),
};

describe.each(golden.cases)('a network with the head $head', ({ head, prefix, z, u, gradients }) => {
  useEngine();
  const layout = describeNetwork(trunk, { bits, height, width }, head);
  const shape = [rows, 3, height, width];
  const images = toChannelsLast(values(`${prefix}/x`, shape, 1), shape);
  let network: Network;
  beforeAll(() => {
    network = new Network(layout);
    network.setWeights(goldenWeights(layout, prefix));
  });
  afterAll(() => network.dispose());

  it('has the outputs and the derivatives by the parameters of the derivation', async () => {
    const leaf = await computeGradientAnywhere(network, {
      method: 'dsh',
      anchors: images,
      positives: null,
      erasing: { regions: 1, size: 1 },
      batchNormalisation: usualBatchNormalisation,
      labels: new Int32Array(rows),
      outputGradient: Float32Array.from(values(`${prefix}/G`, [rows, layout.outputs], 1)),
    });
    const outputs = await trainingOutputsAnywhere(network, images, rows);
    expect(relativeError(outputs, z)).toBeLessThan(1e-5);
    const codes = z.filter((_, index) => index % layout.outputs < bits);
    expect(relativeError(leaf.u, codes)).toBeLessThan(1e-5);
    expect(layout.parameters.map(({ name }) => name).sort()).toEqual(Object.keys(gradients).sort());
    for (const spec of layout.parameters) {
      const stride = Math.max(1, Math.floor(spec.size / 24));
      const found = inTorchOrder(leaf.gradient, spec).filter((_, index) => index % stride === 0);
      const expected = gradients[spec.name]!;
      // The attention of DaSH does not depend on the offset of its last layer.
      const error = expected.some(Boolean)
        ? relativeError(found, expected)
        : Math.max(...found.map(Math.abs));
      expect(error, spec.name).toBeLessThan(1e-4);
    }
  });

  it('has the outputs of the derivation in evaluation mode', async () => {
    const encoded = await encodeImagesAnywhere(network, images, rows);
    expect(relativeError(encoded.u, u)).toBeLessThan(1e-5);
  });
});
