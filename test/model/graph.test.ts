import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph/graph.js';
import { bitcast } from '../../src/engine/graph/operations.js';
import { type GraphRuntime, graphRuntime } from '../../src/engine/graph/runtime.js';
import { GraphSession } from '../../src/engine/graph/session.js';
import { loadEngine } from '../../src/engine/loader.js';
import { positivesBatches, statisticsPasses, usualBatchNormalisation } from '../../src/methods/passes.js';
import {
  computeGradientAnywhere,
  encodeImagesAnywhere,
  microbatchGraphHash,
} from '../../src/model/any-engine.js';
import { attentionMap } from '../../src/model/attention.js';
import { encodeImages } from '../../src/model/encode.js';
import { erasingMask } from '../../src/model/erasing.js';
import { computeGradient, type GradientInput, type LeafResult } from '../../src/model/fcaenet.js';
import { addPictures, pictureFeed } from '../../src/model/graph/pictures.js';
import { addAttention, addErasingMask } from '../../src/model/graph/srem.js';
import { computeLoss } from '../../src/model/loss.js';
import { Network } from '../../src/model/network.js';
import { normalizeImages } from '../../src/model/preprocess.js';
import { relativeError } from '../golden/support.js';
import { hasTensorflow, withoutTensorflow } from '../kit/tensorflow.js';
import { tinyInput, tinyLayout, tinyWeights } from './tiny.js';

const rows = 4;
const { height, width } = tinyLayout;

/** What of tfjs-node's addon counts here. */
interface Counters {
  getNumOfSavedModels(): number;
  getNumOfTensors(): number;
}

describe.skipIf(!hasTensorflow)(`a microbatch as one TensorFlow graph${withoutTensorflow}`, () => {
  let runtime: GraphRuntime;
  beforeAll(async () => {
    await loadEngine('tensorflow', { threads: 1 });
    runtime = graphRuntime()!;
  });

  const withNetwork = async (use: (network: Network) => Promise<void>) => {
    const network = new Network(tinyLayout);
    network.setWeights(tinyWeights);
    await use(network);
    network.dispose();
  };

  const expectNear = (actual: LeafResult, expected: LeafResult) => {
    for (const part of ['gradient', 'u', 'positiveU', 'erasedU', 'losses'] as const) {
      if (expected[part] === null) expect(actual[part], part).toBeNull();
      else expect(relativeError(actual[part]!, expected[part]), part).toBeLessThan(1e-6);
    }
    expect(actual.masks).toEqual(expected.masks);
    expect(actual.moments.passes).toBe(expected.moments.passes);
    expect(actual.moments.counts).toEqual(expected.moments.counts);
    for (const part of ['mean', 'squaredDeviations'] as const) {
      expect(relativeError(actual.moments[part], expected.moments[part]), part).toBeLessThan(1e-6);
    }
  };

  it.each(['baseline', 'srem', 'esrl', 'fcaenet'] as const)(
    'of %s is what the operations give one by one',
    (method) =>
      withNetwork(async (network) => {
        for (const count of [rows, rows - 1]) {
          for (const positives of positivesBatches) {
            for (const runningStatistics of statisticsPasses) {
              const batchNormalisation = { positives, runningStatistics };
              const input = { ...tinyInput(method, count), batchNormalisation };
              expectNear(await computeGradientAnywhere(network, input), computeGradient(network, input));
            }
          }
        }
      }),
  );

  it('has the loss of its own outputs, in float64', () =>
    withNetwork(async (network) => {
      const input = tinyInput('fcaenet', rows);
      const { u, positiveU, erasedU, losses } = await computeGradientAnywhere(network, input);
      const expected = computeLoss({ anchor: u, positive: positiveU, erased: erasedU }, input);
      losses.forEach((loss, term) => {
        expect(Math.abs(loss / expected.losses[term]! - 1)).toBeLessThan(1e-12);
      });
    }));

  it('is one call into TensorFlow, and one that reads the gradient; the same bits each time', () =>
    withNetwork(async (network) => {
      const input = tinyInput('fcaenet', rows);
      const backend = tf.backend() as unknown as {
        binding: Record<string, (...values: unknown[]) => unknown>;
      };
      const { binding } = backend;
      const calls: string[] = [];
      const counting = Object.getOwnPropertyNames(binding).map((name) => {
        if (name !== 'runSavedModel' && name !== 'executeOp') return [name, binding[name]];
        return [
          name,
          (...values: unknown[]) => {
            calls.push(name);
            return binding[name]!(...values);
          },
        ];
      });
      backend.binding = Object.fromEntries(counting);
      const first = await computeGradientAnywhere(network, input);
      expect(calls, 'weights, microbatch, gradient').toEqual(Array(3).fill('runSavedModel'));
      const second = await computeGradientAnywhere(network, input);
      expect(calls, 'microbatch, gradient').toHaveLength(5);
      backend.binding = binding;
      expect(second).toEqual(first);
    }));

  it('of bytes has the bits of one of normalised pictures', () =>
    withNetwork(async (network) => {
      const bytes = (shift: number) =>
        Uint8Array.from({ length: rows * height * width * 3 }, (_, i) => (i * 89 + shift) & 255);
      const input = { ...tinyInput('fcaenet', rows), anchors: bytes(0), positives: bytes(7) };
      const normalised: GradientInput = {
        ...input,
        anchors: normalizeImages(input.anchors, tinyLayout.trunk.preprocessing),
        positives: normalizeImages(input.positives, tinyLayout.trunk.preprocessing),
      };
      expect(await computeGradientAnywhere(network, input)).toEqual(
        await computeGradientAnywhere(network, normalised),
      );
      expect(await encodeImagesAnywhere(network, input.anchors, rows)).toEqual(
        await encodeImagesAnywhere(network, normalised.anchors, rows),
      );
    }));

  it.each(['imagenet', 'symmetric'] as const)(
    'normalises every byte to the last bit (%s)',
    (preprocessing) => {
      const bytes = Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));
      const trunk = { ...tinyLayout.trunk, preprocessing };
      const layout = { ...tinyLayout, trunk, height: 16, width: 16 };
      const graph = new Graph();
      graph.name(addPictures(graph, 'pictures', 1, 'bytes', layout), 'normalised');
      const session = GraphSession.load(runtime, graph);
      const [normalised] = session.run([pictureFeed('pictures', bytes, layout)], ['normalised']);
      session.dispose();
      expect(normalised).toEqual(normalizeImages(bytes, preprocessing));
    },
  );

  it('computes and encodes with the weights that the network was given last', () =>
    withNetwork(async (network) => {
      const input = tinyInput('fcaenet', rows);
      const first = await computeGradientAnywhere(network, input);
      const encoded = await encodeImagesAnywhere(network, input.anchors, rows);
      expect(relativeError(encoded.u, encodeImages(network, input.anchors, rows).u)).toBeLessThan(1e-6);
      network.setWeights({
        parameters: tinyWeights.parameters.map((value) => value / 2),
        mean: tinyWeights.mean.map((value) => value + 1),
        variance: tinyWeights.variance.map((value) => 2 * value),
      });
      const expected = encodeImages(network, input.anchors, rows);
      const other = await encodeImagesAnywhere(network, input.anchors, rows);
      expect(relativeError(other.u, expected.u)).toBeLessThan(1e-6);
      expect(relativeError(other.features, expected.features)).toBeLessThan(1e-6);
      expectNear(await computeGradientAnywhere(network, input), computeGradient(network, input));
      network.setWeights(tinyWeights);
      expect(await computeGradientAnywhere(network, input)).toEqual(first);
      expect(await encodeImagesAnywhere(network, input.anchors, rows)).toEqual(encoded);
    }));

  it('has a hash that depends on what is computed and on nothing else', async () => {
    const hashOf = async (input: GradientInput) => {
      let hash = '';
      await withNetwork(async (network) => {
        expect(microbatchGraphHash(network)).toBe('');
        await computeGradientAnywhere(network, input);
        hash = microbatchGraphHash(network);
      });
      return hash;
    };
    const hash = await hashOf(tinyInput('fcaenet', rows));
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf({ ...tinyInput('fcaenet', rows), gamma: 1 })).toBe(hash);
    expect(await hashOf(tinyInput('fcaenet', rows - 1))).not.toBe(hash);
    expect(await hashOf(tinyInput('srem', rows))).not.toBe(hash);
    const apart = { ...usualBatchNormalisation, positives: 'apart' } as const;
    expect(await hashOf({ ...tinyInput('fcaenet', rows), batchNormalisation: apart })).not.toBe(hash);
  });

  it('leaves nothing in TensorFlow when its network is disposed', async () => {
    const { getNumOfSavedModels, getNumOfTensors } = runtime.binding as unknown as Counters;
    const [models, tensors, own] = [getNumOfSavedModels(), getNumOfTensors(), tf.memory().numTensors];
    await withNetwork(async (network) => {
      const input = tinyInput('fcaenet', rows);
      await computeGradientAnywhere(network, input);
      await encodeImagesAnywhere(network, input.anchors, rows);
      expect(getNumOfSavedModels()).toBe(models + 2);
      expect(getNumOfTensors()).toBe(tensors);
    });
    expect([getNumOfSavedModels(), getNumOfTensors(), tf.memory().numTensors]).toEqual([
      models,
      tensors,
      own,
    ]);
  });

  it('erases exactly what SREM erases of the same attention, ties among it', () => {
    const problems = fc
      .record({ height: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 12 }) })
      .chain((image) => {
        const length = 2 * image.height * image.width;
        return fc.record({
          image: fc.constant(image),
          attention: fc
            .array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length })
            .map((values) => Float64Array.from(values, (value) => value / 7)),
          erasing: fc.record({
            regions: fc.integer({ min: 1, max: 60 }),
            size: fc.integer({ min: 1, max: 14 }),
          }),
        });
      });
    fc.assert(
      fc.property(problems, ({ image, attention, erasing }) => {
        const graph = new Graph();
        const shape = [2, image.height, image.width];
        const bytes = graph.placeholder('attention', 'uint8', [...shape, 8]);
        graph.name(addErasingMask(bitcast(bytes, 'float64', shape), erasing), 'mask');
        const session = GraphSession.load(runtime, graph);
        const values = new Uint8Array(attention.buffer);
        const [mask] = session.run([{ name: 'attention', shape: [...shape, 8], values }], ['mask']);
        session.dispose();
        const half = attention.length / 2;
        expect([...mask!]).toEqual(
          [attention.subarray(0, half), attention.subarray(half)].flatMap((map) => [
            ...erasingMask(map, image, erasing),
          ]),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('has the attention of each image to the last bit where the sum over the channels is exact', () => {
    const [map, image, channels] = [{ height: 3, width: 4 }, { height: 21, width: 18 }, 8];
    const size = map.height * map.width * channels;
    // Integers, of which no sum rounds.
    const features = Float32Array.from({ length: 2 * size }, (_, i) => (i * i * 31) % 97);
    const graph = new Graph();
    const shape = [2, map.height, map.width, channels];
    const attention = addAttention(graph.placeholder('features', 'float32', shape), image);
    const words = [...attention.shape, 2];
    graph.name(bitcast(attention, 'float32', words), 'attention');
    const session = GraphSession.load(runtime, graph);
    const [halves] = session.run([{ name: 'features', shape, values: features }], ['attention']);
    session.dispose();
    expect([...new Float64Array(halves!.buffer)]).toEqual(
      [features.subarray(0, size), features.subarray(size)].flatMap((of) => [
        ...attentionMap(of, map, channels, image),
      ]),
    );
  });
});
