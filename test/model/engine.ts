import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll } from 'vitest';
import { registerGradients } from '../../src/engine/gradients.js';

/** Loads an engine once for the tests of a file. */
export function useEngine(): void {
  beforeAll(async () => {
    registerGradients();
    await tf.setBackend('cpu');
  });
}
