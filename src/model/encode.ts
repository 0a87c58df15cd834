import * as tf from '@tensorflow/tfjs-core';
import { checkElements } from './error.js';
import type { Network } from './network.js';

/** Results of eval mode for some images. */
export interface EncodedImages {
  /** u, whose signs are the query codes (equation 2) `[count, bits]` */
  readonly u: Float32Array<ArrayBuffer>;
  /** Pooled features of the backbone `[count, featureWidth]` */
  readonly features: Float32Array<ArrayBuffer>;
}

/**
 * Runs images through the network in eval mode.
 *
 * @param images normalised `[count, height, width, 3]`
 */
export function encodeImages(network: Network, images: Float32Array, count: number): EncodedImages {
  const { height, width } = network.layout;
  checkElements('A batch of images', images.length, count * height * width * 3);
  return tf.tidy(() => {
    const { u, pooled } = network.forwardEval(tf.tensor4d(images, [count, height, width, 3]));
    return { u: Float32Array.from(u.dataSync()), features: Float32Array.from(pooled.dataSync()) };
  });
}
