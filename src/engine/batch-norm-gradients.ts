import type { NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { batchNormAddReluKernel, batchNormTrainGradientKernel, batchNormTrainKernel } from './batch-norm.js';
import { reluGradient } from './gradients.js';

/**
 * Registers the gradients of the fused kernels, for every backend that has them; statistics have none. Calling it again
 * is harmless.
 */
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
