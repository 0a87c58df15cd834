import type { KernelFunc, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { OnednnBackend } from '../backend.js';

/** One call of a kernel. `inputs` is keyed by name, or by position for kernels that take a list. */
export interface KernelCall {
  readonly inputs: { readonly [name: string]: TensorInfo };
  readonly attrs: NamedAttrMap;
  readonly backend: OnednnBackend;
}

/**
 * A native kernel. It returns undefined for a case that it does not handle (another data type, layout or broadcast);
 * the replaced kernel then runs.
 */
export type NativeKernel = (call: KernelCall) => TensorInfo | TensorInfo[] | undefined;

/**
 * The kernel of TF.js's `cpu` backend on this backend's tensors. Some of those kernels return views of their inputs'
 * arrays, so none of these arrays can be reused.
 */
export function inherited(kernel: KernelFunc): KernelFunc {
  return (call) => {
    const backend = call.backend as OnednnBackend;
    for (const input of Object.values(call.inputs)) {
      if (input) {
        backend.expose(input);
      }
    }
    return kernel(call);
  };
}

export function areFloats(...tensors: TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === 'float32');
}

export function sameShape(a: number[], b: number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

export function sizeOf(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
