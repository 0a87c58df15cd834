import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  type BatchNormActivation,
  batchNormAddReluKernel,
  batchNormTrainGradientKernel,
  batchNormTrainKernel,
} from '../../batch-norm.js';
import { nativeActivation } from '../addon.js';
import type { KernelCall, NativeKernel } from './kernel.js';

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
