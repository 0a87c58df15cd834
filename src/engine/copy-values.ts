import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { OnednnBackend } from './onednn/backend.js';

/**
 * Copies a float32 tensor's values to `target` from `offset` on, like `target.set(tensor.dataSync(), offset)`. It does
 * not return the engine's own array, because an array outside the engine could not be reused for another tensor.
 */
export function copyValues(tensor: Tensor, target: Float32Array, offset: number): void {
  const backend = tf.backend();
  const values = backend instanceof OnednnBackend ? backend.floats(tensor) : tensor.dataSync<'float32'>();
  target.set(values, offset);
}
