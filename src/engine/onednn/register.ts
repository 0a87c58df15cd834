import '@tensorflow/tfjs-backend-cpu';
import type { KernelConfig, KernelFunc } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { registerBatchNormGradients } from '../batch-norm-gradients.js';
import type { Addon } from './addon.js';
import { OnednnBackend } from './backend.js';
import { batchNormKernels } from './kernels/batch-norm.js';
import { convolutionKernels } from './kernels/convolution.js';
import { elementwiseKernels } from './kernels/elementwise.js';
import { inherited, type KernelCall, type NativeKernel } from './kernels/kernel.js';
import { linearKernels } from './kernels/linear.js';
import { shapeKernels } from './kernels/shapes.js';

export const onednnName = 'onednn';

const nativeKernels: { [name: string]: NativeKernel } = {
  ...convolutionKernels,
  ...batchNormKernels,
  ...elementwiseKernels,
  ...linearKernels,
  ...shapeKernels,
};

/**
 * Registers the TF.js backend `onednn`: every kernel of TF.js's `cpu` backend, with native code for the hot ones. The
 * caller selects it with `tf.setBackend`.
 */
export function registerOnednn(addon: Addon): OnednnBackend {
  const backend = new OnednnBackend(addon);
  tf.registerBackend(onednnName, () => backend, 0);
  const remaining = new Map(Object.entries(nativeKernels));
  for (const configuration of tf.getKernelsForBackend('cpu')) {
    const native = remaining.get(configuration.kernelName);
    remaining.delete(configuration.kernelName);
    const original = inherited(configuration.kernelFunc);
    register({ ...configuration, kernelFunc: native ? withFallback(native, original) : original });
  }
  for (const [kernelName, native] of remaining) {
    const missing: KernelFunc = () => {
      throw new Error(`The kernel ${kernelName} was given tensors it does not handle.`);
    };
    register({ kernelName, backendName: onednnName, kernelFunc: withFallback(native, missing) });
  }
  registerBatchNormGradients();
  return backend;
}

function register(configuration: KernelConfig): void {
  tf.registerKernel({ ...configuration, backendName: onednnName });
}

function withFallback(native: NativeKernel, fallback: KernelFunc): KernelFunc {
  return (call) => native(call as KernelCall) ?? fallback(call);
}
