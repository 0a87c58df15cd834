import type { GpuDevice } from '../machine/devices/device.js';

/** What determines an engine's results, and what users see of it. */
export interface EngineDescription {
  readonly name: 'onednn' | 'tensorflow' | 'webgpu';
  /** Versions of TF.js and of the library below it. */
  readonly version: string;
  /** The manufacturer's name of the processor or accelerator. */
  readonly device: string;
  /** The instruction set of the selected kernels. */
  readonly instructionSet: string;
  /** SHA-256 over sources, flags and compiler of this project's native kernels; empty when the engine has none. */
  readonly buildHash: string;
  /** Number of threads that compute one microbatch. */
  readonly threads: number;
  /** True when equal inputs give equal bits, in this process and in every other one with the same description. */
  readonly deterministic: boolean;
  /** The GPU of NVIDIA that computes; null on processors, and where the engine cannot tell. */
  readonly gpu: EngineGpu | null;
}

/** What of a GPU determines bits. An empty text is unknown. */
export interface EngineGpu {
  /** The manufacturer's name, with the profile of a MIG slice. */
  readonly model: string;
  readonly computeCapability: string;
  readonly driverVersion: string;
}

export interface EngineMemory {
  /** Number of live tensors. */
  readonly tensors: number;
  /** Bytes of the live tensors. */
  readonly tensorBytes: number;
  /** Bytes kept for later tensors. */
  readonly pooledBytes: number;
  /** Bytes of scratch memory below TF.js. */
  readonly workspaceBytes: number;
}

/** An engine that is ready. */
export interface StartedEngine {
  readonly description: EngineDescription;
  memory(): EngineMemory;
}

/** Executes tensor kernels: TF.js's current backend. */
export interface Engine extends StartedEngine {
  /** Which engine computes, where, and why: one clause. */
  readonly choice: string;
  /** The GPU that was chosen for it; null where none was. */
  readonly device: GpuDevice | null;
}
