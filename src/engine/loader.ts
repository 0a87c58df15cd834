import type { GpuDevice } from '../machine/devices/device.js';
import { type EngineName, engineNames } from '../run/training-run.js';
import { chooseEngine, type EngineChoice } from './choice.js';
import type { Engine, StartedEngine } from './engine.js';
import { EngineError } from './error.js';
import { registerGradients } from './gradients.js';
import { machineEngines } from './installed.js';
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

type Starter = (options: EngineOptions, gpu: GpuDevice | null) => Promise<StartedEngine>;

const starters: { [Name in EngineName]: Starter } = {
  onednn: ({ threads, addonPath }) => startOnednn(threads, addonPath ?? builtAddonPath),
  tensorflow: ({ threads }, gpu) => startTensorflow(threads, gpu),
  webgpu: ({ threads }) => startWebgpu(threads),
};

/**
 * Starts the engine that executes tensor kernels and makes it TF.js's current backend, with the gradients of
 * `registerGradients`. What `auto` takes, `chooseEngine` says. Of several GPUs the first computes. TF.js's own `cpu`
 * backend is never selected.
 * @throws EngineError ENGINE_NAME, ENGINE_THREADS, ENGINE_UNAVAILABLE
 */
export async function loadEngine(name: 'auto' | EngineName, options: EngineOptions): Promise<Engine> {
  const { threads } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new EngineError('ENGINE_THREADS', `the number of threads is ${threads}, expected 1 to 1024`);
  }
  if (name !== 'auto' && !Object.hasOwn(starters, name)) {
    throw new EngineError('ENGINE_NAME', `there is no engine '${name}': use auto, ${engineNames.join(', ')}`);
  }
  const { addonPath } = options;
  const choice = chooseEngine(name, await machineEngines(name, addonPath === undefined ? {} : { addonPath }));
  const failures: EngineError[] = [];
  for (const candidate of choice.names) {
    try {
      const device = choice.devices[0] ?? null;
      const engine = await starters[candidate](options, device);
      registerGradients();
      return { ...engine, device, choice: describeChoice(choice, candidate, failures) };
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
  throw new EngineError('ENGINE_UNAVAILABLE', `no engine can run here: ${reasonsOf(failures)}`, {
    cause: new AggregateError(failures),
  });
}

/** The sentence of the choice, or where an engine failed to start, that of the one that took its place. */
function describeChoice(
  { sentence, devices }: EngineChoice,
  started: EngineName,
  failures: readonly EngineError[],
): string {
  if (failures.length > 0) return `engine ${started} on the processors: ${reasonsOf(failures)}`;
  if (devices.length < 2) return sentence;
  return `${sentence}; this worker computes on the first, and \`--devices all\` starts one for each`;
}

function reasonsOf(failures: readonly EngineError[]): string {
  return failures.map(({ message }) => message).join('; ');
}
