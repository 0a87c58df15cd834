import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine } from './engine.js';
import { EngineError } from './error.js';

/** The packages that bring TensorFlow, best first; users install one of them themselves. */
const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/**
 * Starts the engine `tensorflow` from whichever of the optional packages is installed and makes it TF.js's backend.
 * TensorFlow reads its settings once, when it is loaded, so they are put into the environment before.
 * @throws EngineError ENGINE_UNAVAILABLE when no package can be loaded
 */
export async function startTensorflow(threads: number): Promise<Engine> {
  process.env.TF_DETERMINISTIC_OPS = '1';
  process.env.TF_CUDNN_USE_AUTOTUNE = '0';
  process.env.NVIDIA_TF32_OVERRIDE = '0';
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  process.env.TF_NUM_INTEROP_THREADS = '1';
  restoreIsNullOrUndefined();
  const failures: unknown[] = [];
  for (const name of packages) {
    try {
      await import(name);
    } catch (error) {
      failures.push(error);
      continue;
    }
    await tf.setBackend('tensorflow');
    const gpu = name.endsWith('-gpu');
    return {
      description: {
        name: 'tensorflow',
        version: `tfjs ${tf.version_core}, ${name}`,
        device: gpu ? 'GPU' : 'CPU',
        instructionSet: gpu ? 'cuda' : process.arch,
        buildHash: '',
        threads,
        deterministic: true,
      },
      memory() {
        const { numTensors, numBytes } = tf.memory();
        return { tensors: numTensors, tensorBytes: numBytes, pooledBytes: 0, workspaceBytes: 0 };
      },
    };
  }
  throw new EngineError(
    'ENGINE_UNAVAILABLE',
    `Engine tensorflow cannot run because neither ${packages.join(' nor ')} can be loaded: run \`npm install ${packages[1]}\`.`,
    { cause: new AggregateError(failures) },
  );
}

/** tfjs-node calls a function of node:util that Node 23 removed. */
function restoreIsNullOrUndefined(): void {
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
}
