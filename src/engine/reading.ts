import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** False when values can only be read by a promise, because the event loop must run meanwhile: WebGPU. */
export function readsAtOnce(): boolean {
  return tf.getBackend() !== 'webgpu';
}

/** Copies the values of float32 tensors out of any engine. */
export async function readValues(tensors: readonly Tensor[]): Promise<Float32Array<ArrayBuffer>[]> {
  return Promise.all(tensors.map(async (tensor) => Float32Array.from(await tensor.data<'float32'>())));
}
