import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { HeadInput } from './head-input.js';

/**
 * The features of both pyramids of FPH `[rows, width]`: the means of the vertical pyramid's maps, the deeper one last,
 * then those of the horizontal pyramid's fused map, over the whole map and over each quarter of it.
 */
export function pyramidFeatures({ pooled, branches }: HeadInput): Tensor2D {
  const [larger, smaller, deep] = branches as [Tensor4D, Tensor4D, Tensor4D];
  const details = consensus(larger, smaller);
  return tf.concat<Tensor2D>(
    [tf.mean<Tensor2D>(deep, [1, 2]), pooled, tf.mean<Tensor2D>(details, [1, 2]), ...quarters(details)],
    1,
  );
}

/**
 * a + b + a∘b of two maps of one size, neither with a negative value: the details of both, and more of those on which
 * both agree.
 */
function consensus(a: Tensor4D, b: Tensor4D): Tensor4D {
  return tf.add(tf.add(a, b), tf.mul(a, b));
}

/** Means of the quarters of a map, row by row. The middle row or column of an odd size lies in both halves. */
function quarters(map: Tensor4D): Tensor2D[] {
  const [rows, height, width, channels] = map.shape;
  return halves(height).flatMap((vertical) =>
    halves(width).map((horizontal) =>
      tf.mean<Tensor2D>(
        tf.slice(
          map,
          [0, vertical.begin, horizontal.begin, 0],
          [rows, vertical.size, horizontal.size, channels],
        ),
        [1, 2],
      ),
    ),
  );
}

/** Where the two halves of an extent begin, and how long they are. */
export function halves(extent: number): { readonly begin: number; readonly size: number }[] {
  const size = Math.ceil(extent / 2);
  return [
    { begin: 0, size },
    { begin: extent - size, size },
  ];
}
