import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { OnednnBackend } from './onednn/backend.js';

/**
 * Copies a float32 tensor's values to `target` from `offset` on: what `target.set(tensor.dataSync(), offset)` does,
 * without letting the engine's own array out, which could then not be used for another tensor.
 */
export function copyValues(tensor: Tensor, target: Float32Array, offset: number): void {
  const backend = tf.backend();
  const values = backend instanceof OnednnBackend ? backend.floats(tensor) : tensor.dataSync<'float32'>();
  target.set(values, offset);
}
