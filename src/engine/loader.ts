import { type EngineName, engineNames } from '../run/training-run.js';
import type { Engine } from './engine.js';
import { EngineError } from './error.js';
import { registerGradients } from './gradients.js';
import { builtAddonPath } from './onednn/addon.js';
import { startOnednn } from './onednn/start.js';
import { startTensorflow } from './tensorflow/start.js';
import { startWebgpu } from './webgpu/start.js';

export interface EngineOptions {
  /** Threads of one microbatch, 1 to 1024. The same number gives the same bits. */
  readonly threads: number;
  /** Path of the compiled native kernels; by default those of the setup. */
  readonly addonPath?: string;
}

const starters: { [Name in EngineName]: (options: EngineOptions) => Promise<Engine> } = {
  onednn: ({ threads, addonPath }) => startOnednn(threads, addonPath ?? builtAddonPath),
  tensorflow: ({ threads }) => startTensorflow(threads),
  webgpu: ({ threads }) => startWebgpu(threads),
};

/**
 * Starts the engine that executes tensor kernels and makes it TF.js's current backend, with the gradients of
 * `registerGradients`. `auto` selects `onednn` if it can run, else `tensorflow`. `webgpu` is only selected by name, and
 * TF.js's own `cpu` backend never.
 * @throws EngineError ENGINE_NAME, ENGINE_THREADS, ENGINE_UNAVAILABLE
 */
export async function loadEngine(name: 'auto' | EngineName, options: EngineOptions): Promise<Engine> {
  const { threads } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new EngineError('ENGINE_THREADS', `The number of threads is ${threads}, expected 1 to 1024.`);
  }
  if (name !== 'auto' && !Object.hasOwn(starters, name)) {
    throw new EngineError(
      'ENGINE_NAME',
      `There is no engine '${name}': use auto, ${engineNames.join(', ')}.`,
    );
  }
  const names: EngineName[] = name === 'auto' ? ['onednn', 'tensorflow'] : [name];
  const failures: EngineError[] = [];
  for (const candidate of names) {
    try {
      const engine = await starters[candidate](options);
      registerGradients();
      return engine;
    } catch (error) {
      if (!(error instanceof EngineError)) {
        throw error;
      }
      failures.push(error);
    }
  }
  if (failures.length === 1) {
    throw failures[0];
  }
  const reasons = failures.map((failure) => failure.message.replace(/\.$/, '')).join('; ');
  throw new EngineError('ENGINE_UNAVAILABLE', `No engine can run here: ${reasons}.`, {
    cause: new AggregateError(failures),
  });
}
