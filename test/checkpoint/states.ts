import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckpointState } from '../../src/checkpoint/state.js';

/** A small state whose every number follows from the step. */
export function stateAt(step: number, change: Partial<CheckpointState> = {}): CheckpointState {
  const floats = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.fround(step + i / 7));
  return {
    position: { iteration: step >> 3, epoch: 1, step, phase: 'train', globalStep: step },
    term: 1,
    trainingHash: 'hash-of-this-run',
    arithmeticVersion: 1,
    version: '0.1.0',
    identity: 'engine 1.0, avx2',
    metrics: { mAP: step / 100 },
    tensors: {
      weights: {
        'conv1.weight': { shape: [3, 2, 2], data: floats(12) },
        'bn1.running_mean': { shape: [3], data: floats(3) },
      },
      optimizer: { momentum: { shape: [15], data: floats(15) } },
      codes: {
        V: { shape: [5, 3], data: Int8Array.from({ length: 15 }, (_, i) => ((step + i) % 3 ? 1 : -1)) },
        omega: { shape: [2], data: Int32Array.of(step, 4) },
        sums: { shape: [2], data: Float64Array.of(step / 3, -0) },
      },
    },
    history: [{ step, loss: 1 / (step + 1) }],
    ...change,
  };
}

/** What `stateAt` states are loaded with. */
export const thisRun = { trainingHash: 'hash-of-this-run', arithmeticVersion: 1 };

/** A directory of its own for one test; the system clears its temporary files. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'fcaenet-checkpoint-'));
}

/** Inverts one bit in the middle of a file. */
export async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
}

/** Entries of a directory that no finished save leaves behind. */
export async function leftovers(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((entry) => entry.startsWith('.'));
}
