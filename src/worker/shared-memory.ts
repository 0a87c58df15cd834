import { fstatSync } from 'node:fs';
import { memoryKeyVariable, SharedReader } from '../transport/shared-memory.js';

/** Descriptors that such a worker inherits, after stdin, stdout, stderr and the channel to its parent process. */
const weightsDescriptor = 4;
const resultsDescriptor = 5;

/** The worker's side of the memory that it shares with the coordinator that started it. */
export interface WorkerMemory {
  readonly key: Buffer;
  readonly weights: SharedReader;
  /** Descriptor of the memory for its results. */
  readonly results: number;
}

/** @returns null when no coordinator started this worker */
export function inheritedMemory(environment: NodeJS.ProcessEnv): WorkerMemory | null {
  const key = environment[memoryKeyVariable];
  if (!key || !process.connected) return null;
  const areFiles = [weightsDescriptor, resultsDescriptor].every(isFile);
  if (!areFiles) return null;
  return {
    key: Buffer.from(key, 'hex'),
    weights: new SharedReader(weightsDescriptor),
    results: resultsDescriptor,
  };
}

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
}
