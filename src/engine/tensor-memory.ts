import * as tf from '@tensorflow/tfjs-core';
import type { EngineMemory } from './engine.js';

/** TF.js's own counters, for an engine that does not report its own memory. */
export function tensorMemory(): EngineMemory {
  const { numTensors, numBytes } = tf.memory();
  return { tensors: numTensors, tensorBytes: numBytes, pooledBytes: 0, workspaceBytes: 0 };
}
