import * as tf from '@tensorflow/tfjs-core';
import type { StartedEngine } from '../engine.js';
import { EngineError } from '../error.js';
import { tensorMemory } from '../tensor-memory.js';

/** The used part of the package `webgpu` (Dawn for Node). */
interface Dawn {
  create(options: readonly string[]): object;
  readonly globals: object;
}

/** The used part of TF.js's WebGPU backend. */
interface WebgpuBackend {
  readonly adapterInfo: { readonly vendor?: string; readonly architecture?: string };
}

const packages = ['webgpu', '@tensorflow/tfjs-backend-webgpu'] as const;

/**
 * Starts the engine `webgpu`, which computes on any GPU with a Vulkan driver, and makes it TF.js's backend.
 * @throws EngineError ENGINE_UNAVAILABLE when the optional packages are not installed or no GPU is found
 */
export async function startWebgpu(threads: number): Promise<StartedEngine> {
  await loadPackages();
  // Without an adapter, TF.js prints a note on the console and returns false.
  if (!(await tf.setBackend('webgpu').catch(() => false))) {
    throw unavailable(
      'no GPU with a Vulkan driver was found',
      "install its driver (on Debian `apt-get install mesa-vulkan-drivers`; NVIDIA's brings its own)",
    );
  }
  const { vendor, architecture } = (tf.backend() as unknown as WebgpuBackend).adapterInfo;
  return {
    description: {
      name: 'webgpu',
      version: `tfjs ${tf.version_core}, Dawn`,
      device: [vendor, architecture].filter(Boolean).join(' ') || 'GPU',
      instructionSet: 'wgsl',
      buildHash: '',
      threads,
      deterministic: true,
      gpu: null,
    },
    memory: tensorMemory,
  };
}

/** Defines `navigator.gpu` as a browser does: TF.js's backend only registers itself when it exists. */
async function loadPackages(): Promise<void> {
  try {
    const dawn: string = packages[0];
    const { create, globals } = (await import(dawn)) as Dawn;
    Object.assign(globalThis, globals);
    const { navigator } = globalThis as { navigator?: { gpu?: object } };
    if (!navigator?.gpu) {
      Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });
    }
    const backend: string = packages[1];
    await import(backend);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const reason = missing
      ? `${packages.join(' and ')} are not installed`
      : `its packages cannot be loaded (${String((cause as Error).message).split('\n')[0]})`;
    throw unavailable(reason, 'run `npm run setup:webgpu`', cause);
  }
}

function unavailable(reason: string, remedy: string, cause?: unknown): EngineError {
  return new EngineError('ENGINE_UNAVAILABLE', `engine webgpu cannot run because ${reason}: ${remedy}`, {
    cause,
  });
}
