import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { readValues } from '../engine/reading.js';
import { checkElements } from './error.js';
import { type FeatureMaps, imageTensor } from './fcaenet.js';
import type { Network } from './network.js';
import { normalizeImages } from './preprocess.js';

/**
 * The last feature maps of images in eval mode, on any engine.
 * @param pixels uint8 `[count, height, width, 3]`
 * @throws ModelError `MODEL_SHAPE`
 */
export async function featureMapsOf(
  network: Network,
  pixels: Uint8Array,
  count: number,
): Promise<FeatureMaps> {
  const { height, width, trunk } = network.layout;
  checkElements('a batch of images', pixels.length, count * height * width * 3);
  const featureMap = tf.tidy(() => {
    const images = imageTensor(network, normalizeImages(pixels, trunk.preprocessing));
    return network.forwardEval(images).featureMap as Tensor4D;
  });
  try {
    const [values] = await readValues([featureMap]);
    return { shape: featureMap.shape, values: values! };
  } finally {
    featureMap.dispose();
  }
}
