import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Side of the square of the picture that a value of a map covers: three layers of the attention network halve the picture. */
export const cellSide = 8;

/** Keeps the quotient of a map without contrast finite. Batch normalisation makes variances of about 1. */
export const varianceFloor = 0.01;

/** How much an attention of one standard deviation changes a factor, about. */
export const contrast = 0.25;

/**
 * Pictures multiplied by 1 + tanh(x̂ / 4) of an attention map x. x̂ is x with mean 0 and variance 1 in each picture. So a map
 * says where to look and not how much: with x itself, training makes all factors equal before the map has learned anything,
 * and they stay so.
 * @param images `[rows, height, width, 3]`
 * @param map `[rows, ⌈height / 8⌉, ⌈width / 8⌉, 1]`
 */
export function attended(images: Tensor4D, map: Tensor4D): Tensor4D {
  return tf.tidy(() => {
    const [rows, height, width] = images.shape;
    const [, mapHeight, mapWidth] = map.shape;
    const attention = tf.add(tf.tanh(tf.mul(standardised(map), contrast)), 1);
    const squares = tf.mul(
      tf.reshape(attention, [rows, mapHeight, 1, mapWidth, 1]),
      tf.ones([1, 1, cellSide, 1, cellSide]),
    );
    const enlarged = tf.reshape(squares, [rows, mapHeight * cellSide, mapWidth * cellSide, 1]);
    return tf.mul<Tensor4D>(images, tf.slice(enlarged, [0, 0, 0, 0], [rows, height, width, 1]));
  });
}

/** Each map with mean 0 and variance 1. Its derivative is (dy − mean(dy) − y mean(dy y)) / deviation. */
function standardised(map: Tensor4D): Tensor4D {
  const standardise = tf.customGrad((...inputs) => {
    const [x, save] = inputs as unknown as [Tensor, (tensors: Tensor[]) => void];
    const centred = tf.sub(x, meanOf(x));
    const deviation = tf.sqrt(tf.add(meanOf(tf.mul(centred, centred)), varianceFloor));
    const value = tf.div(centred, deviation);
    save([value, deviation]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [y, divisor] = saved as [Tensor, Tensor];
      const along = tf.mul(y, meanOf(tf.mul(dy, y)));
      return tf.div(tf.sub(tf.sub(dy, meanOf(dy)), along), divisor);
    };
    return { value, gradFunc };
  });
  return standardise(map) as Tensor4D;
}

/** Over height and width, which stay as 1. */
function meanOf(map: Tensor): Tensor {
  return tf.mean(map, [1, 2], true);
}
