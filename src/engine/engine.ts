/** What decides an engine's results, and what a user wants to see of it. */
export interface EngineDescription {
  readonly name: 'onednn' | 'tensorflow' | 'webgpu';
  /** Versions of TF.js and of the library below it. */
  readonly version: string;
  /** The processor or accelerator, in its maker's words. */
  readonly device: string;
  /** The instruction set that kernels are chosen for. */
  readonly instructionSet: string;
  /** SHA-256 over sources, flags and compiler of this project's native kernels; empty where it has none. */
  readonly buildHash: string;
  /** Threads that one microbatch is computed on. */
  readonly threads: number;
  /** True when equal inputs give equal bits, in this process and in any other of the same description. */
  readonly deterministic: boolean;
}

export interface EngineMemory {
  /** Tensors alive. */
  readonly tensors: number;
  /** Bytes of the tensors alive. */
  readonly tensorBytes: number;
  /** Bytes kept for later tensors. */
  readonly pooledBytes: number;
  /** Bytes of scratch memory below TF.js. */
  readonly workspaceBytes: number;
}

/** What executes tensor kernels: TF.js's current backend. */
export interface Engine {
  readonly description: EngineDescription;
  memory(): EngineMemory;
}
