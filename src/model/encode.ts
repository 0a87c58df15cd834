import * as tf from '@tensorflow/tfjs-core';
import { checkElements } from './error.js';
import type { NetworkLayout } from './layout.js';
import type { Network } from './network.js';

/** Results of eval mode for some images. */
export interface EncodedImages {
  /** u, whose signs are the query codes (equation 2) `[count, bits]` */
  readonly u: Float32Array<ArrayBuffer>;
  /** Pooled features of the backbone `[count, featureWidth]` */
  readonly features: Float32Array<ArrayBuffer>;
  /** Local features `[count, parts, featureWidth]`; null where the network has none. */
  readonly local: Float32Array<ArrayBuffer> | null;
}

/**
 * Runs images through the network in eval mode.
 *
 * @param images normalised `[count, height, width, 3]`
 */
export function encodeImages(network: Network, images: Float32Array, count: number): EncodedImages {
  const { height, width } = network.layout;
  checkElements('a batch of images', images.length, count * height * width * 3);
  let encoded: EncodedImages;
  tf.tidy(() => {
    const { u, pooled, local } = network.forwardEval(tf.tensor4d(images, [count, height, width, 3]));
    encoded = {
      u: Float32Array.from(u.dataSync()),
      features: Float32Array.from(pooled.dataSync()),
      local: local && byImage(local.dataSync<'float32'>(), count, network.layout),
    };
  });
  return encoded!;
}

/** Local features `[parts, count, featureWidth]` in the order of the images. */
export function byImage(
  local: Float32Array,
  count: number,
  { own, featureWidth }: NetworkLayout,
): Float32Array<ArrayBuffer> {
  const { parts } = own!;
  const sorted = new Float32Array(local.length);
  for (let part = 0; part < parts; part++) {
    for (let image = 0; image < count; image++) {
      const begin = (part * count + image) * featureWidth;
      sorted.set(local.subarray(begin, begin + featureWidth), (image * parts + part) * featureWidth);
    }
  }
  return sorted;
}
