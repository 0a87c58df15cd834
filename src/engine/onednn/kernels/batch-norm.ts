import type { NamedAttrMap, NamedTensorMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { BATCH_NORM_ADD_RELU, BATCH_NORM_TRAIN, type BatchNormActivation } from '../../batch-norm.js';
import { reluGradient } from '../../gradients.js';
import { nativeActivation } from '../addon.js';
import type { KernelCall, NativeKernel } from './kernel.js';

const BATCH_NORM_TRAIN_GRADIENT = `${BATCH_NORM_TRAIN}Grad`;

function forward(call: KernelCall, activation: BatchNormActivation): TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { x, scale, offset, shortcut } = inputs;
  const y = backend.output(x!.shape);
  const mean = backend.output(scale!.shape);
  const variance = backend.output(scale!.shape);
  backend.addon.batchNormForward(
    backend.floats(x!),
    backend.floats(scale!),
    backend.floats(offset!),
    y.values,
    mean.values,
    variance.values,
    attrs.epsilon as number,
    nativeActivation[activation],
    ...(shortcut ? [backend.floats(shortcut)] : []),
  );
  return [y.info, mean.info, variance.info];
}

const train: NativeKernel = (call) => forward(call, call.attrs.activation as BatchNormActivation);
const addRelu: NativeKernel = (call) => forward(call, 'relu');

const trainGradient: NativeKernel = ({ inputs, attrs, backend }) => {
  const { x, dy, scale, offset, mean, variance } = inputs;
  const dx = backend.output(x!.shape);
  const dScale = backend.output(scale!.shape);
  const dOffset = backend.output(scale!.shape);
  backend.addon.batchNormBackward(
    backend.floats(x!),
    backend.floats(dy!),
    backend.floats(scale!),
    backend.floats(offset!),
    backend.floats(mean!),
    backend.floats(variance!),
    dx.values,
    dScale.values,
    dOffset.values,
    attrs.epsilon as number,
    nativeActivation[attrs.activation as BatchNormActivation],
  );
  return [dx.info, dScale.info, dOffset.info];
};

const inference: NativeKernel = ({ inputs, attrs, backend }) => {
  const { x, scale, offset, mean, variance } = inputs;
  if (!scale || !offset || mean!.shape.length !== 1) {
    return undefined;
  }
  const y = backend.output(x!.shape);
  backend.addon.batchNormInference(
    backend.floats(x!),
    backend.floats(scale),
    backend.floats(offset),
    backend.floats(mean!),
    backend.floats(variance!),
    y.values,
    attrs.varianceEpsilon as number,
  );
  return y.info;
};

/** Batch normalisation: fused train mode with its gradient, and inference. */
export const batchNormKernels: { [name: string]: NativeKernel } = {
  [BATCH_NORM_TRAIN]: train,
  [BATCH_NORM_ADD_RELU]: addRelu,
  [BATCH_NORM_TRAIN_GRADIENT]: trainGradient,
  FusedBatchNorm: inference,
};

/** Registers the gradients of the fused kernels; statistics have none. */
export function registerBatchNormGradients(): void {
  tf.registerGradient({
    kernelName: BATCH_NORM_TRAIN,
    inputsToSave: ['x', 'scale', 'offset'],
    outputsToSave: [false, true, true],
    gradFunc: (dys, saved, attributes) => {
      const [x, scale, offset, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const dy = (dys as Tensor[])[0]!;
      const gradients = backward({ x, dy, scale, offset, mean, variance }, attributes);
      // As in `registerGradients`: nothing else uses them.
      tf.dispose([dys, saved]);
      return gradients;
    },
  });
  tf.registerGradient({
    kernelName: BATCH_NORM_ADD_RELU,
    inputsToSave: ['x', 'scale', 'offset'],
    outputsToSave: [true, true, true],
    gradFunc: (dys, saved, { epsilon }) => {
      const [x, scale, offset, y, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      const dy = (dys as Tensor[])[0]!;
      // The gradient behind the ReLU is the gradient of both terms of the sum.
      const shortcut = reluGradient(dy, y, Number.POSITIVE_INFINITY);
      const attributes = { epsilon: epsilon!, activation: 'none' };
      const gradients = backward({ x, dy: shortcut, scale, offset, mean, variance }, attributes);
      tf.dispose([dys, saved]);
      return { ...gradients, shortcut: () => shortcut };
    },
  });
}

function backward(inputs: NamedTensorMap, attributes: NamedAttrMap): { [input: string]: () => Tensor } {
  const gradients = tf.engine().runKernel(BATCH_NORM_TRAIN_GRADIENT, inputs, attributes) as Tensor[];
  return { x: () => gradients[0]!, scale: () => gradients[1]!, offset: () => gradients[2]! };
}
