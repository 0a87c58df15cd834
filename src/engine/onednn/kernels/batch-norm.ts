import type { NamedAttrMap, NamedTensorMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchNormActivation, batchNormAddReluKernel, batchNormTrainKernel } from '../../batch-norm.js';
import { reluGradient } from '../../gradients.js';
import { nativeActivation } from '../addon.js';
import type { KernelCall, NativeKernel } from './kernel.js';

const batchNormTrainGradientKernel = `${batchNormTrainKernel}Grad`;

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
  [batchNormTrainKernel]: train,
  [batchNormAddReluKernel]: addRelu,
  [batchNormTrainGradientKernel]: trainGradient,
  FusedBatchNorm: inference,
};

/** Registers the gradients of the fused kernels; statistics have none. */
export function registerBatchNormGradients(): void {
  tf.registerGradient({
    kernelName: batchNormTrainKernel,
    inputsToSave: ['x', 'scale', 'offset'],
    outputsToSave: [false, true, true],
    gradFunc: (dys, saved, attributes) => {
      const [x, scale, offset, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const dy = (dys as Tensor[])[0]!;
      const gradients = backward({ x, dy, scale, offset, mean, variance }, attributes);
      // As in `registerGradients`: nothing else needs them.
      tf.dispose([dys, saved]);
      return gradients;
    },
  });
  tf.registerGradient({
    kernelName: batchNormAddReluKernel,
    inputsToSave: ['x', 'scale', 'offset'],
    outputsToSave: [true, true, true],
    gradFunc: (dys, saved, { epsilon }) => {
      const [x, scale, offset, y, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      const dy = (dys as Tensor[])[0]!;
      // What the ReLU lets through is the gradient of both terms of the sum.
      const shortcut = reluGradient(dy, y, Number.POSITIVE_INFINITY);
      const attributes = { epsilon: epsilon!, activation: 'none' };
      const gradients = backward({ x, dy: shortcut, scale, offset, mean, variance }, attributes);
      tf.dispose([dys, saved]);
      return { ...gradients, shortcut: () => shortcut };
    },
  });
}

function backward(inputs: NamedTensorMap, attributes: NamedAttrMap): { [input: string]: () => Tensor } {
  const gradients = tf.engine().runKernel(batchNormTrainGradientKernel, inputs, attributes) as Tensor[];
  return { x: () => gradients[0]!, scale: () => gradients[1]!, offset: () => gradients[2]! };
}
