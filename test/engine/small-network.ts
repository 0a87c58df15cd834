import * as tf from '@tensorflow/tfjs-core';
import { type BatchNormActivation, batchNormTrain } from '../../src/engine/batch-norm.js';
import { valuesOf } from './support.js';

const shapes: number[][] = [
  [3, 3, 3, 8],
  [8],
  [8],
  [3, 3, 8, 1],
  [8],
  [8],
  [1, 1, 8, 16],
  [16],
  [16],
  [3, 3, 16, 16],
  [16],
  [16],
  [16, 6],
  [6],
];

export interface SmallNetwork {
  readonly parameters: tf.Tensor[];
  /** Gradients of a loss over `[batch, 17, 17, 3]` images, in the order of the parameters; the caller disposes them. */
  step(key: number, batch: number): { loss: tf.Scalar; gradients: tf.Tensor[] };
}

/** A network with every kind of layer that the backbones have, in train mode, on the current backend. */
export function smallNetwork(): SmallNetwork {
  const parameters = shapes.map((shape, index) =>
    tf.tensor(
      valuesOf(index, tf.util.sizeFromShape(shape), 0.5).map((v) => (shape.length === 1 ? v + 0.5 : v)),
      shape,
    ),
  );
  const normalise = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, activation: BatchNormActivation) =>
    batchNormTrain(x as tf.Tensor4D, scale as tf.Tensor1D, offset as tf.Tensor1D, 1e-3, activation).output;
  const forward = (x: tf.Tensor4D, p: tf.Tensor[]): tf.Scalar => {
    let y = normalise(tf.conv2d(x, p[0] as tf.Tensor4D, 2, 'same'), p[1]!, p[2]!, 'relu6');
    y = normalise(tf.depthwiseConv2d(y, p[3] as tf.Tensor4D, 1, 'same'), p[4]!, p[5]!, 'relu6');
    y = normalise(tf.conv2d(y, p[6] as tf.Tensor4D, 1, 'same'), p[7]!, p[8]!, 'relu');
    y = tf.maxPool(y, 3, 2, 1);
    const branch = normalise(tf.conv2d(y, p[9] as tf.Tensor4D, 1, 1), p[10]!, p[11]!, 'none');
    const features = tf.mean(tf.relu(tf.add(y, branch)), [1, 2]) as tf.Tensor2D;
    const u = tf.tanh(tf.add(tf.matMul(features, p[12] as tf.Tensor2D), p[13]!));
    const first = tf.slice(u, [0, 0], [1, -1]);
    return tf.mean(tf.square(tf.sub(u, first)));
  };
  return {
    parameters,
    step(key, batch) {
      const x = tf.tensor4d(valuesOf(100 + key, batch * 17 * 17 * 3, 1), [batch, 17, 17, 3]);
      const { value, grads } = tf.valueAndGrads((...p) => forward(x, p))(parameters);
      x.dispose();
      return { loss: value as tf.Scalar, gradients: grads };
    },
  };
}
