import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { isThere } from '../../run/presence.js';
import type { StartedEngine } from '../engine.js';
import { EngineError } from '../error.js';
import { tensorMemory } from '../tensor-memory.js';
import { type Addon, loadAddon } from './addon.js';
import type { OnednnBackend } from './backend.js';
import { onednnName, registerOnednn } from './register.js';

interface Registered {
  readonly backend: OnednnBackend;
  readonly buildHash: string;
}

/** TF.js has one registry per process, so there is one of these. */
let registered: Registered | null = null;

/**
 * Starts the engine `onednn` on `threads` threads and makes it TF.js's backend. A second call changes the threads.
 * @param addonPath path of the compiled addon
 * @throws EngineError ENGINE_UNAVAILABLE when the native kernels are not built or cannot run here
 */
export async function startOnednn(threads: number, addonPath: string): Promise<StartedEngine> {
  const { addon, buildHash } = registered
    ? { addon: registered.backend.addon, ...registered }
    : load(addonPath);
  const native = start(addon, threads);
  registered ??= { backend: registerOnednn(addon), buildHash };
  const { backend } = registered;
  await tf.setBackend(onednnName);
  return {
    description: {
      name: onednnName,
      version: `tfjs ${tf.version_core}, oneDNN ${native.version}`,
      device: cpus()[0]?.model ?? 'unknown processor',
      instructionSet: native.instructionSet,
      buildHash,
      threads,
      deterministic: true,
      gpu: null,
    },
    memory() {
      const { workspaceBytes } = backend.addon.memory();
      return { ...tensorMemory(), pooledBytes: backend.pooledBytes, workspaceBytes };
    },
  };
}

function load(addonPath: string): { addon: Addon; buildHash: string } {
  try {
    if (isThere(addonPath)) return loadAddon(addonPath);
  } catch (cause) {
    throw unavailable(`its native kernels cannot be loaded (${firstLine(cause)})`, cause);
  }
  throw unavailable(`its native kernels are not built (${addonPath} is missing)`);
}

function start(addon: Addon, threads: number): ReturnType<Addon['start']> {
  try {
    return addon.start(threads);
  } catch (cause) {
    throw unavailable(`its native kernels cannot run (${firstLine(cause)})`, cause, anotherEngine);
  }
}

const rebuild = 'run `apt-get install libdnnl-dev g++ && npm run setup`';
/** A new build would give the same kernels. */
const anotherEngine = 'run `npm run setup:tensorflow` to compute with TensorFlow instead';

function unavailable(reason: string, cause?: unknown, remedy = rebuild): EngineError {
  return new EngineError('ENGINE_UNAVAILABLE', `engine onednn cannot run because ${reason}: ${remedy}`, {
    cause,
  });
}

function firstLine(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split('\n')[0]!;
}
