import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyedRandom } from '../../src/data/random.js';
import { publishedSettings } from '../../src/methods/settings.js';
import { computeGradientAnywhere, encodeImagesAnywhere } from '../../src/model/any-engine.js';
import { meanHellinger } from '../../src/model/exchnet/diversity.js';
import { exchangeOf } from '../../src/model/exchnet/exchange.js';
import { pretrainedName } from '../../src/model/exchnet/parts.js';
import { initialWeights } from '../../src/model/initial.js';
import { describeNetwork, describeRunModel } from '../../src/model/layout.js';
import { Network } from '../../src/model/network.js';
import { expectedTensors } from '../../src/model/weights/expected.js';
import { backbones } from '../../src/run/training-run.js';
import { tinyTrunks } from '../golden/networks.js';
import { values } from '../golden/support.js';
import { run } from '../run/support.js';
import { useEngine } from './engine.js';
import { bits, tinyInput } from './tiny.js';

const parts = 3;
const rows = 4;
const layout = describeNetwork(
  tinyTrunks.tiny_mobile!,
  { bits, height: 12, width: 16 },
  { parts, terms: ['spatial', 'channel', 'alignment'] },
);
const { featureWidth } = layout;

describe.each(backbones)('the network of exchnet on %s', (backbone) => {
  const { spec } = run('spec.method=exchnet', `spec.model.backbone=${backbone}`, 'spec.model.width=1');
  const { own, parameters, batchNorms, layers } = describeRunModel(spec);

  it('has the last stage three times, and a hash layer on the features of all parts', () => {
    const names = (prefix: string) =>
      parameters
        .filter(({ name }) => name.startsWith(prefix) && !name.startsWith('attention.maps'))
        .map(({ name, shape }) => [name.slice(prefix.length), shape]);
    const local = names('local.');
    expect(names('attention.')).toEqual(local);
    const all = new Map(parameters.map(({ name, shape }) => [name, shape]));
    for (const [name, shape] of local) expect(all.get(String(name))).toEqual(shape);
    expect(own!.local.length).toBe(layers.length - own!.shared);
    const { shape } = parameters.at(-2)!;
    expect(shape).toEqual([own!.hashWidth, spec.bits]);
  });

  it('begins every copy with the pretrained tensors of the last stage', () => {
    const none = new Map();
    const expected = expectedTensors(describeRunModel(spec), none);
    const trunk = new Set(
      expectedTensors(describeRunModel({ ...spec, method: 'baseline' }), none).map(({ name }) => name),
    );
    expect(expected.every(({ name }) => trunk.has(name))).toBe(true);
    // All but the hash layer and the convolution of the attention maps: filter, scale, offset, mean and variance.
    expect(expected.length).toBe(parameters.length + 2 * batchNorms.length - 2 - 5);
    expect(pretrainedName('attention.maps_bn.weight')).toBeNull();
  });
});

describe('a microbatch of exchnet', () => {
  useEngine();

  const inputOf = (exchanged: number, anchored: Float32Array | null) => {
    const input = tinyInput('exchnet', rows);
    const source = { settings: publishedSettings.exchnet, own: { parts }, featureWidth, anchored };
    const { labels, batchRows } = input;
    const chosen = new Uint32Array(rows).fill(exchanged);
    return { ...input, exchange: exchangeOf({ ...source, labels, batchRows, exchanged: chosen }) };
  };
  const anchored = values('exchnet/C', [4, parts, featureWidth], 1);

  const withNetwork = async (use: (network: Network) => Promise<void>) => {
    const network = new Network(layout);
    network.setWeights(initialWeights(layout, new KeyedRandom(1)));
    await use(network);
    network.dispose();
  };

  it('hashes nothing of a part that is exchanged, so no gradient of the similarity goes back through it', () =>
    withNetwork(async (network) => {
      const input = inputOf(2 ** parts - 1, anchored);
      const alone = { ...input, exchange: { ...input.exchange, scalars: new Float32Array(4) } };
      const { gradient } = await computeGradientAnywhere(network, alone);
      const localFilters = layout.parameters.filter(({ name }) => name.startsWith('local.'));
      for (const { offset, size } of localFilters) {
        expect(gradient.subarray(offset, offset + size).every((slope) => slope === 0)).toBe(true);
      }
    }));

  it('without features of the classes keeps every part, and has no alignment', () =>
    withNetwork(async (network) => {
      const all = await computeGradientAnywhere(network, inputOf(2 ** parts - 1, null));
      expect(all).toEqual(await computeGradientAnywhere(network, inputOf(0, null)));
      expect(all.losses[6]).toBe(0);
    }));

  it('has finite derivatives where the local features of all parts are equal', () =>
    withNetwork(async (network) => {
      const weights = initialWeights(layout, new KeyedRandom(1));
      const { offset, size } = layout.parameters.find(({ name }) => name === 'local.bn3.weight')!;
      weights.parameters.fill(0, offset, offset + size);
      network.setWeights(weights);
      const { gradient, losses } = await computeGradientAnywhere(network, inputOf(0, anchored));
      expect(gradient.every(Number.isFinite)).toBe(true);
      const { spatial, channel, margin } = publishedSettings.exchnet;
      expect(losses[4]).toBeCloseTo(spatial, 6);
      expect(losses[5]).toBeCloseTo(channel * margin, 6);
    }));

  it('leaves no tensor behind', () =>
    withNetwork(async (network) => {
      const input = inputOf(1, anchored);
      const compute = async () => {
        await computeGradientAnywhere(network, input);
        await encodeImagesAnywhere(network, input.anchors, rows);
      };
      await compute();
      const before = tf.memory().numTensors;
      await compute();
      expect(tf.memory().numTensors).toBe(before);
    }));

  it('gives the local features of an image whatever images are encoded with it', () =>
    withNetwork(async (network) => {
      const { anchors } = inputOf(0, null);
      const { local } = await encodeImagesAnywhere(network, anchors, rows);
      const [image, each] = [anchors.length / rows, parts * featureWidth];
      for (let row = 0; row < rows; row++) {
        const one = anchors.slice(row * image, (row + 1) * image);
        const alone = await encodeImagesAnywhere(network, one, 1);
        expect(local!.slice(row * each, (row + 1) * each)).toEqual(alone.local);
      }
    }));

  it.each([
    [undefined, 'a network of method exchnet needs an exchange and got none'],
    [
      { ...inputOf(0, null).exchange, kept: new Float32Array(2) },
      'the exchange of a microbatch has 2 elements, expected ',
    ],
  ])('refuses an exchange that does not fit', (exchange, message) =>
    withNetwork(async (network) => {
      const { exchange: _, ...input } = inputOf(0, null);
      await expect(
        computeGradientAnywhere(network, { ...input, ...(exchange && { exchange }) }),
      ).rejects.toMatchObject({ code: 'MODEL_SHAPE', message: expect.stringContaining(message) });
    }),
  );

  it('measures distances of distributions from 0 to 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -80, max: 80, noNaN: true }), { minLength: 12, maxLength: 12 }),
        (x) => {
          const [first, second] = tf.tidy(() => [...meanHellinger(tf.tensor3d(x, [3, 2, 2])).dataSync()]);
          for (const value of [first!, second!]) {
            expect(value).toBeGreaterThanOrEqual(0);
            expect(value).toBeLessThanOrEqual(1 + 1e-6);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});
