import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { encodeTfjsNetwork } from '../../src/export/graph/tfjs.js';
import { encodeTfjsModel } from '../../src/formats/tfjs-graph.js';
import { encodeImages } from '../../src/model/encode.js';
import { Network } from '../../src/model/network.js';
import { normalizeImages } from '../../src/model/preprocess.js';
import { useEngine } from '../model/engine.js';
import { exportedLayouts, exportedNetwork, exportedPictures } from './networks.js';

useEngine();

/** What `tf.loadGraphModel` reads of files that a server would send. */
function servedFiles(files: readonly { name: string; bytes: Uint8Array }[]): tf.io.IOHandler {
  const description = JSON.parse(Buffer.from(files[0]!.bytes).toString('utf8')) as tf.io.ModelJSON;
  return {
    load: () =>
      tf.io.getModelArtifactsForJSON(description, async ([group]) => {
        const paths = group!.paths.map((path) => files.find(({ name }) => name === path)!.bytes);
        return [group!.weights, Uint8Array.from(Buffer.concat(paths)).buffer];
      }),
  };
}

test.each(Object.entries(exportedLayouts))(
  'TensorFlow.js computes the same bits of u on the same engine: %s',
  async (_, layout) => {
    const network = exportedNetwork(layout);
    const { height, width, bits } = layout;
    const pictures = exportedPictures(layout, 2);
    const own = new Network(layout);
    own.setWeights(network.weights);
    const images = normalizeImages(pictures, layout.trunk.preprocessing);
    const { u } = encodeImages(own, images, 2);

    const model = await loadGraphModel(servedFiles(encodeTfjsNetwork(network)));
    const input = tf.tensor4d(Int32Array.from(pictures), [2, height, width, 3], 'int32');
    const [found, signs] = model.predict(input) as tf.Tensor[];
    expect(found!.shape).toEqual([2, bits]);
    expect(found!.dataSync()).toEqual(u);
    expect(Array.from(signs!.dataSync())).toEqual(Array.from(u, (value) => Number(value >= 0)));
    expect(model.metadata).toEqual({ run: 'golden' });
  },
);

test('tensors of more than 4 MiB are in several files', () => {
  const data = new Float32Array(2 ** 21 + 1);
  const files = encodeTfjsModel({
    producer: 'test',
    nodes: [],
    constants: [{ name: 'x', shape: [data.length], data }],
    inputs: [],
    outputs: [],
    metadata: {},
  });
  expect(files.map(({ name, bytes }) => [name, bytes.length]).slice(1)).toEqual([
    ['group1-shard1of3.bin', 4 * 2 ** 20],
    ['group1-shard2of3.bin', 4 * 2 ** 20],
    ['group1-shard3of3.bin', 4],
  ]);
});
