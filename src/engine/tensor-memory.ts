import * as tf from '@tensorflow/tfjs-core';
import type { EngineMemory } from './engine.js';

/** What TF.js itself counts; all that is known of an engine that shows nothing of the memory below it. */
export function tensorMemory(): EngineMemory {
  const { numTensors, numBytes } = tf.memory();
  return { tensors: numTensors, tensorBytes: numBytes, pooledBytes: 0, workspaceBytes: 0 };
}
