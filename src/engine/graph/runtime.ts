import * as tf from '@tensorflow/tfjs-core';

/** What of tfjs-node's addon is used here. */
export interface GraphBinding {
  readonly TF_FLOAT: number;
  readonly TF_UINT8: number;
  createTensor(shape: readonly number[], type: number, values: Float32Array | Uint8Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
  /**
   * Copies a float32 tensor to a place in an array, without an array in between. Only an addon that this project's
   * set-up built has it.
   */
  readTensorInto?(id: number, target: Float32Array, offset: number): void;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(
    id: number,
    tensors: readonly number[],
    inputs: string,
    outputs: string,
  ): readonly { readonly id: number }[];
}

/** What runs graphs: tfjs-node's addon, and the package that it came with. */
export interface GraphRuntime {
  readonly binding: GraphBinding;
  readonly packageName: string;
}

/** What of tfjs-node's backend is used here. */
interface NodeBackend {
  readonly binding: GraphBinding;
  readonly isGPUPackage: boolean;
}

/** Runs graphs on the engine in use; null where that engine takes operations one by one only. */
export function graphRuntime(): GraphRuntime | null {
  if (tf.getBackend() !== 'tensorflow') return null;
  const { binding, isGPUPackage } = tf.backend() as unknown as NodeBackend;
  return { binding, packageName: `@tensorflow/tfjs-node${isGPUPackage ? '-gpu' : ''}` };
}
