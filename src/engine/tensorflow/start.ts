import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { cudaEnvironment, type GpuDevice, modelOf } from '../../machine/devices/device.js';
import type { StartedEngine } from '../engine.js';
import { EngineError } from '../error.js';
import { tensorMemory } from '../tensor-memory.js';
import { registerExplicitPadding } from './explicit-padding.js';

/** The packages that bring TensorFlow, best first; users install one of them themselves. */
const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** What of tfjs-node's backend is used here. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

/**
 * Starts the engine `tensorflow` from whichever of the optional packages is installed and makes it TF.js's backend.
 * TensorFlow reads its settings once, when it is loaded, so they are put into the environment before.
 * @param gpu the only GPU that it may use; null leaves the environment's
 * @throws EngineError ENGINE_UNAVAILABLE when no package can be loaded, or when the one for GPUs finds none
 */
export async function startTensorflow(threads: number, gpu: GpuDevice | null): Promise<StartedEngine> {
  process.env.TF_DETERMINISTIC_OPS = '1';
  process.env.TF_CUDNN_USE_AUTOTUNE = '0';
  process.env.NVIDIA_TF32_OVERRIDE = '0';
  process.env.TF_NUM_INTRAOP_THREADS = String(threads);
  process.env.TF_NUM_INTEROP_THREADS = '1';
  // Its notes on the processor are no warnings; what fails is thrown.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // Else it takes all memory of the GPU, also from others that use it.
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  if (gpu !== null) Object.assign(process.env, cudaEnvironment(gpu));
  restoreIsNullOrUndefined();
  const name = await loadPackage();
  await tf.setBackend('tensorflow');
  registerExplicitPadding('tensorflow');
  const { isUsingGpuDevice, binding } = tf.backend() as unknown as NodeBackend;
  refuseWithoutGpu(name, isUsingGpuDevice, process.env.CUDA_VISIBLE_DEVICES);
  return {
    description: {
      name: 'tensorflow',
      version: `tfjs ${tf.version_core}, TensorFlow ${binding.TF_Version} in ${name}`,
      device: isUsingGpuDevice
        ? gpu === null
          ? 'GPU'
          : modelOf(gpu)
        : (cpus()[0]?.model ?? 'unknown processor'),
      instructionSet: isUsingGpuDevice ? 'cuda' : instructionSet(),
      buildHash: '',
      threads,
      deterministic: true,
      gpu:
        isUsingGpuDevice && gpu !== null
          ? {
              model: modelOf(gpu),
              computeCapability: gpu.computeCapability ?? '',
              driverVersion: gpu.driverVersion ?? '',
            }
          : null,
    },
    memory: tensorMemory,
  };
}

/**
 * The package for GPUs computes on the processor, in silence, where it finds none: a hundredth of the speed, and other
 * bits than the workers with a GPU, which would be refused if such a worker were the first. So it must be asked for.
 * @param visibleDevices `CUDA_VISIBLE_DEVICES`, by which CUDA's programs are told that they shall use no GPU
 * @throws EngineError ENGINE_UNAVAILABLE
 */
export function refuseWithoutGpu(
  name: string,
  isUsingGpu: boolean,
  visibleDevices: string | undefined,
): void {
  const processorWanted = visibleDevices === '' || visibleDevices === '-1';
  if (isUsingGpu || processorWanted || name !== packages[0]) return;
  throw new EngineError(
    'ENGINE_UNAVAILABLE',
    `engine tensorflow cannot run because ${name} finds no GPU${visibleDevices === undefined ? '' : ` among CUDA_VISIBLE_DEVICES=${visibleDevices}`}: ` +
      'run `nvidia-smi` to see whether there is a driver for CUDA 12, or set CUDA_VISIBLE_DEVICES=-1 to compute on the processor',
  );
}

async function loadPackage(): Promise<string> {
  const failures: unknown[] = [];
  for (const name of packages) {
    try {
      await import(name);
      return name;
    } catch (error) {
      failures.push(error);
    }
  }
  const missing = failures.every(
    (failure) => (failure as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND',
  );
  const reason = missing
    ? `neither ${packages.join(' nor ')} is installed`
    : `its addon cannot be loaded (${firstLine(failures.find((failure) => (failure as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND'))})`;
  throw new EngineError(
    'ENGINE_UNAVAILABLE',
    `engine tensorflow cannot run because ${reason}: run \`npm run setup:tensorflow\`, or where storage.googleapis.com can be reached \`npm install --no-save --save-prod ${packages[1]}\``,
    { cause: new AggregateError(failures) },
  );
}

/** The widest vectors of the processor, by which TensorFlow chooses its kernels. */
function instructionSet(): string {
  let flags: string;
  try {
    flags = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return process.arch;
  }
  return /\bavx512f\b/.test(flags) ? 'avx512' : /\bavx2\b/.test(flags) ? 'avx2' : process.arch;
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause)
    .split('\n')[0]!
    .trim()
    .replace(/[.:]$/, '');
}

/** tfjs-node calls a function of node:util that Node 23 removed. */
function restoreIsNullOrUndefined(): void {
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
}
