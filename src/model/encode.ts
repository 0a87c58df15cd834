import * as tf from '@tensorflow/tfjs-core';
import { checkElements } from './error.js';
import type { Network } from './network.js';

/**
 * Outputs u of images in eval mode, whose signs are the query codes (equation 2).
 *
 * @param images normalised `[count, height, width, 3]`
 * @returns `[count, bits]`
 */
export function encodeImages(
  network: Network,
  images: Float32Array,
  count: number,
): Float32Array<ArrayBuffer> {
  const { height, width } = network.layout;
  checkElements('A batch of images', images.length, count * height * width * 3);
  return tf.tidy(() => {
    const { u } = network.forwardEval(tf.tensor4d(images, [count, height, width, 3]));
    return Float32Array.from(u.dataSync());
  });
}
