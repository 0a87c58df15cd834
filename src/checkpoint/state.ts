import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, reasonOf } from './error.js';
import { type CheckpointManifest, decodeManifest, type RunPosition, sha256 } from './manifest.js';
import { decodeSafetensors, encodeSafetensors, type TensorMap } from './safetensors.js';

/** All that a run needs to go on as if it had never stopped. */
export interface CheckpointState {
  readonly position: RunPosition;
  readonly term: number;
  readonly trainingHash: string;
  readonly arithmeticVersion: number;
  /** Numerical identity of the workers; null where they had different ones. */
  readonly identity: string | null;
  /** The latest figures, for people and for `list()`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** One file `<group>.safetensors` each. */
  readonly tensors: {
    /** What retrieval needs: parameters and BatchNorm statistics, by their names. */
    readonly weights: TensorMap;
    /** What SGD needs besides: momentum. */
    readonly optimizer: TensorMap;
    /** What hashing needs: database codes V, and outputs U with their rows while an iteration is under way. */
    readonly codes: TensorMap;
  };
  /** Metrics history: any JSON. */
  readonly history: unknown;
}

export const MANIFEST_FILE = 'manifest.json';
const GROUPS = ['weights', 'optimizer', 'codes'] as const;
const HISTORY_FILE = 'history.json';

/** A state's files besides the manifest, as consecutive pieces that share memory with the state. */
export function encodeState(state: CheckpointState): { name: string; pieces: Uint8Array[] }[] {
  return [
    ...GROUPS.map((group) => ({
      name: `${group}.safetensors`,
      pieces: encodeSafetensors(state.tensors[group], { format: 'fcaenet', group }),
    })),
    { name: HISTORY_FILE, pieces: [Buffer.from(JSON.stringify(state.history))] },
  ];
}

/** Reads and checks a checkpoint's manifest. */
export async function readManifest(directory: string): Promise<CheckpointManifest> {
  return decodeManifest((await readPart(directory, MANIFEST_FILE)).toString('utf8'));
}

/**
 * Reads a checkpoint, every byte of it checked against the manifest.
 *
 * @throws CheckpointError `CHECKPOINT_FOREIGN` where it belongs to another run or arithmetic; `CHECKPOINT_DAMAGED`,
 *   `CHECKPOINT_MANIFEST` or `CHECKPOINT_SAFETENSORS` where it is not what was written
 */
export async function readState(
  directory: string,
  expected: { trainingHash: string; arithmeticVersion: number },
): Promise<CheckpointState> {
  const manifest = await readManifest(directory);
  for (const field of ['trainingHash', 'arithmeticVersion'] as const) {
    if (manifest[field] !== expected[field]) {
      throw new CheckpointError(
        'CHECKPOINT_FOREIGN',
        `The ${field} is ${manifest[field]}, expected ${expected[field]}.`,
      );
    }
  }
  const read = async (name: string) => {
    const file = manifest.files.find((candidate) => candidate.name === name);
    if (file === undefined)
      throw new CheckpointError('CHECKPOINT_DAMAGED', `The manifest does not name ${name}.`);
    const bytes = await readPart(directory, name);
    if (bytes.length !== file.bytes) {
      throw new CheckpointError(
        'CHECKPOINT_DAMAGED',
        `${name} has ${bytes.length} bytes, expected ${file.bytes}.`,
      );
    }
    const found = sha256(bytes);
    if (found !== file.sha256) {
      throw new CheckpointError(
        'CHECKPOINT_DAMAGED',
        `${name} has SHA-256 ${found}, expected ${file.sha256}.`,
      );
    }
    return bytes;
  };
  const group = async (name: string) => {
    const file = `${name}.safetensors`;
    return decodeSafetensors(await read(file), file).tensors;
  };
  const { position, term, trainingHash, arithmeticVersion, identity, metrics } = manifest;
  return {
    position,
    term,
    trainingHash,
    arithmeticVersion,
    identity,
    metrics,
    tensors: {
      weights: await group('weights'),
      optimizer: await group('optimizer'),
      codes: await group('codes'),
    },
    history: JSON.parse((await read(HISTORY_FILE)).toString('utf8')),
  };
}

async function readPart(directory: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, name));
  } catch (error) {
    throw new CheckpointError('CHECKPOINT_DAMAGED', `${name} cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}
