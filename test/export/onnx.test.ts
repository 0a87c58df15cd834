import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { encodeOnnxNetwork } from '../../src/export/graph/onnx.js';
import { networkOperations } from '../../src/export/graph/operations.js';
import { encodeImages } from '../../src/model/encode.js';
import { Network } from '../../src/model/network.js';
import { normalizeImages } from '../../src/model/preprocess.js';
import { relativeError } from '../golden/support.js';
import { failure } from '../kit/failure.js';
import { useEngine } from '../model/engine.js';
import { exportedLayouts, exportedNetwork, exportedPictures } from './networks.js';
import { runOnnx } from './onnx-interpreter.js';

useEngine();

test.each(Object.entries(exportedLayouts))(
  'the operators of the ONNX graph compute u of images from 0 to 1: %s',
  (_, layout) => {
    const network = exportedNetwork(layout);
    const { height, width, bits } = layout;
    const pictures = exportedPictures(layout, 2);
    const own = new Network(layout);
    own.setWeights(network.weights);
    const { u } = encodeImages(own, normalizeImages(pictures, layout.trunk.preprocessing), 2);

    const images = tf.tidy(() => {
      const bytes = tf.tensor4d(Float32Array.from(pictures), [2, height, width, 3]);
      return tf.transpose(tf.div(bytes, 255), [0, 3, 1, 2]) as tf.Tensor4D;
    });
    const outputs = runOnnx(encodeOnnxNetwork(network), images);
    expect(Object.keys(outputs)).toEqual(['u', 'bits']);
    expect(outputs.u!.shape).toEqual([2, bits]);
    expect(relativeError(outputs.u!.dataSync(), u)).toBeLessThan(1e-4);
    expect(Array.from(outputs.bits!.dataSync())).toEqual(Array.from(u, (value) => Number(value >= 0)));
  },
);

test('a network with a tensor that the graph does not take is refused', () => {
  const { parameters, ...rest } = exportedLayouts.resnet;
  const own = { ...parameters[0]!, name: 'attention.weight' };
  const layout = { ...rest, parameters: [...parameters.slice(0, -2), own, ...parameters.slice(-2)] };
  expect(() => networkOperations(layout)).toThrow(
    failure(
      'EXPORT_METHOD',
      'the network has the tensor attention.weight of a layer that the formats onnx and tfjs cannot hold; safetensors and torch export its tensors',
    ),
  );
});
