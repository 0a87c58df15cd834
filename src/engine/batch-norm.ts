import type { NamedAttrMap, NamedTensorMap, Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Activation after the normalisation in the same operation. `relu6` has derivative 0 at 0 and at 6, as in PyTorch. */
export type BatchNormActivation = 'none' | 'relu' | 'relu6';

/** Names of the fused kernels; a backend that registers them is given the whole operation. */
export const batchNormTrainKernel = 'FcaenetBatchNormTrain';
export const batchNormAddReluKernel = 'FcaenetBatchNormAddRelu';
/** Gradient of the normalisation in both: inputs x, dy, scale, offset, mean, variance. */
export const batchNormTrainGradientKernel = 'FcaenetBatchNormTrainGrad';

export interface BatchNormTrainResult {
  /** activation((x − mean) / √(variance + ε) · scale + offset) `[batch, height, width, channels]` */
  readonly output: Tensor4D;
  /** Batch mean per channel `[channels]`; no gradient flows through it. */
  readonly mean: Tensor1D;
  /** Biased batch variance per channel `[channels]`; no gradient flows through it. */
  readonly variance: Tensor1D;
}

/**
 * Train-mode batch normalisation with PyTorch's semantics: statistics over batch, height and width, biased variance.
 * Differentiable in `x`, `scale` and `offset` by the closed form (Ioffe and Szegedy 2015, section 3): dx =
 * scale/√(variance + ε) · (g − mean(g) − x̂·mean(g·x̂)), where g is the gradient behind the activation.
 * @param x `[batch, height, width, channels]`
 * @param scale `[channels]`
 * @param offset `[channels]`
 * @param epsilon added to the variance, above 0
 */
export function batchNormTrain(
  x: Tensor4D,
  scale: Tensor1D,
  offset: Tensor1D,
  epsilon: number,
  activation: BatchNormActivation,
): BatchNormTrainResult {
  if (tf.getKernel(batchNormTrainKernel, tf.getBackend())) {
    return runFused(batchNormTrainKernel, { x, scale, offset }, { epsilon, activation });
  }
  return composedBatchNormTrain(x, scale, offset, epsilon, activation);
}

/**
 * The end of a residual block: relu(batchNormTrain(x) + shortcut), also differentiable in `shortcut`. A backend with a
 * fused kernel does not store the sum and its parts, and does not keep them for the backward pass.
 * @param shortcut of the shape of `x`
 */
export function batchNormAddRelu(
  x: Tensor4D,
  scale: Tensor1D,
  offset: Tensor1D,
  epsilon: number,
  shortcut: Tensor4D,
): BatchNormTrainResult {
  if (tf.getKernel(batchNormAddReluKernel, tf.getBackend())) {
    return runFused(batchNormAddReluKernel, { x, scale, offset, shortcut }, { epsilon });
  }
  const { output: main, mean, variance } = batchNormTrain(x, scale, offset, epsilon, 'none');
  const sum = tf.add<Tensor4D>(main, shortcut);
  main.dispose();
  const output = tf.relu(sum);
  sum.dispose();
  return { output, mean, variance };
}

function runFused(kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap): BatchNormTrainResult {
  const [output, mean, variance] = tf.engine().runKernel(kernel, inputs, attributes) as Tensor[];
  return { output: output as Tensor4D, mean: mean as Tensor1D, variance: variance as Tensor1D };
}

/** The same from tfjs-core operations, for backends without the fused kernel. */
function composedBatchNormTrain(
  x: Tensor4D,
  scale: Tensor1D,
  offset: Tensor1D,
  epsilon: number,
  activation: BatchNormActivation,
): BatchNormTrainResult {
  const axes = [0, 1, 2];
  const { mean, variance, deviation } = tf.tidy(() => {
    const mean = tf.mean<Tensor1D>(x, axes);
    const variance = tf.mean<Tensor1D>(tf.square(tf.sub(x, mean)), axes);
    return { mean, variance, deviation: tf.sqrt(tf.add(variance, epsilon)) };
  });
  const normalise = tf.customGrad((...inputs) => {
    const [xs, scales, offsets, save] = inputs as unknown as [
      Tensor4D,
      Tensor1D,
      Tensor1D,
      (tensors: Tensor[]) => void,
    ];
    const linear = tf.add(tf.mul(tf.div(tf.sub(xs, mean), deviation), scales), offsets);
    const value =
      activation === 'relu' ? tf.relu(linear) : activation === 'relu6' ? tf.relu6(linear) : linear;
    save([xs, scales, mean, deviation, value]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [xSaved, scaleSaved, meanSaved, deviationSaved, output] = saved as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const gradient = throughActivation(dy, output, activation);
      const normalised = tf.div(tf.sub(xSaved, meanSaved), deviationSaved);
      const dOffset = tf.sum(gradient, axes);
      const dScale = tf.sum(tf.mul(gradient, normalised), axes);
      const count = xSaved.size / dOffset.size;
      const centred = tf.sub(
        tf.sub(gradient, tf.div(dOffset, count)),
        tf.mul(normalised, tf.div(dScale, count)),
      );
      return [tf.mul(centred, tf.div(scaleSaved, deviationSaved)), dScale, dOffset];
    };
    return { value, gradFunc };
  });
  return { output: normalise(x, scale, offset) as Tensor4D, mean, variance };
}

/** dy where the activation passed its input, else 0. `output` is the activation's result. */
function throughActivation(dy: Tensor, output: Tensor, activation: BatchNormActivation): Tensor {
  if (activation === 'none') {
    return dy;
  }
  const above = tf.greater(output, 0);
  const open = activation === 'relu' ? above : tf.logicalAnd(above, tf.less(output, 6));
  return tf.mul(dy, tf.cast(open, 'float32'));
}
