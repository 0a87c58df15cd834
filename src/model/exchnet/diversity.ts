import type { Tensor, Tensor1D, Tensor3D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Where two distributions are equal, their distance has no derivative. This far from there it is damped to 0. */
const smallestDistance = 1e-6;

/**
 * The mean, over all pairs of parts, of the Hellinger distance |√p − √q|₂ / √2 of the distributions softmax(x), for each
 * row. Differentiable in `x`. √softmax(x) is e^(x/2) / |e^(x/2)|₂, so nothing is divided by a root that may be 0.
 * @param x `[parts, rows, n]`, at least two parts
 * @returns from 0 to 1 `[rows]`
 */
export function meanHellinger(x: Tensor3D): Tensor1D {
  const [parts, rows] = x.shape;
  const pairs = (parts * (parts - 1)) / 2;
  const scale = 1 / (Math.SQRT2 * pairs);
  const distances = tf.customGrad((...inputs) => {
    const [values, save] = inputs as unknown as [Tensor3D, (tensors: Tensor[]) => void];
    const differences = pairDifferences(parts);
    const powers = tf.exp(tf.mul(tf.sub(values, tf.max(values, 2, true)), 0.5));
    const roots = tf.div(powers, tf.sqrt(tf.sum(tf.mul(powers, powers), 2, true)));
    const apart = tf.reshape(tf.matMul(differences, tf.reshape(roots, [parts, -1])), [pairs, rows, -1]);
    const lengths = tf.sqrt(tf.sum(tf.mul(apart, apart), 2, true));
    save([roots, apart, lengths]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [rootsSaved, apartSaved, lengthsSaved] = saved as [Tensor3D, Tensor3D, Tensor3D];
      const weights = tf.div(
        tf.mul(tf.reshape(dy, [1, rows, 1]), scale),
        tf.maximum(lengthsSaved, smallestDistance),
      );
      const byApart = tf.reshape(tf.mul(apartSaved, weights), [pairs, -1]);
      const byRoots = tf.reshape(tf.matMul(pairDifferences(parts), byApart, true, false), rootsSaved.shape);
      const pulled = tf.mul(rootsSaved, byRoots);
      const along = tf.mul(tf.mul(rootsSaved, rootsSaved), tf.sum(pulled, 2, true));
      return tf.mul(tf.sub(pulled, along), 0.5);
    };
    const value = tf.mul(tf.sum(tf.reshape(lengths, [pairs, rows]), 0), scale);
    return { value, gradFunc };
  });
  return distances(x) as Tensor1D;
}

/** One row for each pair: 1 at its first part and −1 at its second `[pairs, parts]`. */
function pairDifferences(parts: number): tf.Tensor2D {
  const rows: number[][] = [];
  for (let first = 0; first < parts; first++) {
    for (let second = first + 1; second < parts; second++) {
      rows.push(Array.from({ length: parts }, (_, part) => Number(part === first) - Number(part === second)));
    }
  }
  return tf.tensor2d(rows.flat(), [rows.length, parts]);
}
