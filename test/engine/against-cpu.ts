import * as tf from '@tensorflow/tfjs-core';
import { relativeDifference, valuesOf } from './support.js';

export type Operation = (...inputs: tf.Tensor[]) => tf.Tensor;
export type Shape = number[];

/** Result of `f` and the gradients of Σ result · weights, computed on `backend`. */
export async function evaluate(
  backend: string,
  f: Operation,
  shapes: Shape[],
  scale: number,
): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const inputs = shapes.map((shape, index) =>
    tf.tensor(valuesOf(index, tf.util.sizeFromShape(shape), scale), shape),
  );
  const y = f(...inputs);
  const weights = tf.tensor(valuesOf(50, y.size, 1), y.shape);
  const gradients = tf.grads((...xs) => tf.sum(tf.mul(f(...xs), weights)) as tf.Scalar)(inputs);
  return [y, ...gradients].map((tensor) => Float32Array.from(tensor.dataSync()));
}

/** Largest relative difference between the two backends, over the result and every gradient. */
export async function difference(f: Operation, shapes: Shape[], scale = 1): Promise<number> {
  const expected = await evaluate('cpu', f, shapes, scale);
  const actual = await evaluate('onednn', f, shapes, scale);
  return Math.max(...actual.map((values, index) => relativeDifference(values, expected[index]!)));
}
