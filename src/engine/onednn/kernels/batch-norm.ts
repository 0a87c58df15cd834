import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { BATCH_NORM_TRAIN, type BatchNormActivation } from '../../batch-norm.js';
import { nativeActivation } from '../addon.js';
import type { NativeKernel } from './kernel.js';

const BATCH_NORM_TRAIN_GRADIENT = `${BATCH_NORM_TRAIN}Grad`;

const train: NativeKernel = ({ inputs, attrs, backend }) => {
  const { x, scale, offset } = inputs;
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
    nativeActivation[attrs.activation as BatchNormActivation],
  );
  return [y.info, mean.info, variance.info];
};

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
  [BATCH_NORM_TRAIN_GRADIENT]: trainGradient,
  FusedBatchNorm: inference,
};

/** Registers the gradient of the fused kernel; statistics have none. */
export function registerBatchNormGradient(): void {
  tf.registerGradient({
    kernelName: BATCH_NORM_TRAIN,
    inputsToSave: ['x', 'scale', 'offset'],
    outputsToSave: [false, true, true],
    gradFunc: (dys, saved, attributes) => {
      const [x, scale, offset, mean, variance] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const dy = (dys as Tensor[])[0]!;
      const gradients = tf
        .engine()
        .runKernel(
          BATCH_NORM_TRAIN_GRADIENT,
          { x, dy, scale, offset, mean, variance },
          attributes,
        ) as Tensor[];
      // As in `registerGradients`: nothing else needs them.
      for (const tensor of [...(dys as Tensor[]), ...saved]) tensor.dispose();
      return { x: () => gradients[0]!, scale: () => gradients[1]!, offset: () => gradients[2]! };
    },
  });
}
