import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Disk } from '../disk/disk.js';
import { CheckpointError, reasonOf } from './error.js';
import { type CheckpointManifest, decodeManifest, type RunPosition } from './manifest.js';
import { decodeSafetensors, encodeSafetensors, type TensorMap } from './safetensors.js';

/** Everything that a run needs to continue as if it had never stopped. */
export interface CheckpointState {
  readonly position: RunPosition;
  readonly term: number;
  readonly trainingHash: string;
  readonly arithmeticVersion: number;
  /** Version of the fcaenet that started the run; null when a checkpoint does not say. */
  readonly version: string | null;
  /** Numerical identity of the workers; null when they had different ones. */
  readonly identity: string | null;
  /** The latest figures, for users and for `list()`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** One file `<group>.safetensors` each. */
  readonly tensors: {
    /** For retrieval: parameters and BatchNorm statistics, by their names. */
    readonly weights: TensorMap;
    /** For SGD: momentum. */
    readonly optimizer: TensorMap;
    /** For hashing: database codes V, and during an iteration the outputs U with their rows. */
    readonly codes: TensorMap;
  };
  /** Metrics history: any JSON. */
  readonly history: unknown;
}

export const manifestFile = 'manifest.json';
const groupNames = ['weights', 'optimizer', 'codes'] as const;
const historyFile = 'history.json';
/** Of a file, what is read while the piece before it is hashed. */
const pieceBytes = 8 << 20;

type ManifestFile = CheckpointManifest['files'][number];

/** A state's files besides the manifest, as consecutive pieces that share memory with the state. */
export function encodeState(state: CheckpointState): { name: string; pieces: Uint8Array[] }[] {
  return [
    ...groupNames.map((group) => ({
      name: `${group}.safetensors`,
      pieces: encodeSafetensors(state.tensors[group], { format: 'fcaenet', group }),
    })),
    { name: historyFile, pieces: [Buffer.from(JSON.stringify(state.history))] },
  ];
}

/** Reads and checks a checkpoint's manifest. Throws CheckpointError `CHECKPOINT_DAMAGED` or `CHECKPOINT_MANIFEST`. */
export async function readManifest(disk: Disk, directory: string): Promise<CheckpointManifest> {
  return decodeManifest((await readPart(disk, directory, manifestFile)).toString('utf8'));
}

/** What a checkpoint is of that has another value than is expected. */
const otherThan = {
  trainingHash: 'a run with other settings',
  arithmeticVersion: 'a version that computes other bits',
} as const;

/**
 * Reads a checkpoint and checks every byte against its manifest.
 * @throws CheckpointError `CHECKPOINT_FOREIGN` when it belongs to another run or arithmetic; `CHECKPOINT_DAMAGED` or
 * `CHECKPOINT_SAFETENSORS` when it was damaged
 */
export async function readState(
  disk: Disk,
  directory: string,
  manifest: CheckpointManifest,
  expected: { trainingHash: string; arithmeticVersion: number },
): Promise<CheckpointState> {
  for (const field of ['trainingHash', 'arithmeticVersion'] as const) {
    if (manifest[field] !== expected[field]) {
      throw new CheckpointError(
        'CHECKPOINT_FOREIGN',
        `it is of ${otherThan[field]}: the ${field} is ${manifest[field]}, expected ${expected[field]}`,
      );
    }
  }
  const read = async (name: string) => {
    const file = manifest.files.find((candidate) => candidate.name === name);
    if (file === undefined)
      throw new CheckpointError('CHECKPOINT_DAMAGED', `the manifest does not name ${name}`);
    return readHashed(disk, join(directory, name), file);
  };
  const group = async (name: (typeof groupNames)[number]) => {
    const file = `${name}.safetensors`;
    return decodeSafetensors(await read(file), file).tensors;
  };
  const { position, term, trainingHash, arithmeticVersion, version = null, identity, metrics } = manifest;
  // In parallel: while one is hashed, the others are read.
  const [weights, optimizer, codes] = await Promise.all([
    group('weights'),
    group('optimizer'),
    group('codes'),
  ]);
  return {
    position,
    term,
    trainingHash,
    arithmeticVersion,
    version,
    identity,
    metrics,
    tensors: { weights, optimizer, codes },
    history: JSON.parse((await read(historyFile)).toString('utf8')),
  };
}

/** Reads a file, and hashes one piece while the next is read from the disk. */
async function readHashed(disk: Disk, path: string, expected: ManifestFile): Promise<Buffer> {
  const { name, bytes: size, sha256 } = expected;
  const damaged = (what: string, cause?: unknown) =>
    new CheckpointError('CHECKPOINT_DAMAGED', `${name} ${what}`, { cause });
  const file = await disk.open(path, 'r').catch((error) => {
    throw damaged(`cannot be read: ${reasonOf(error)}`, error);
  });
  try {
    const found = (await file.stat()).size;
    if (found !== size) throw damaged(`has ${found} bytes, expected ${size}`);
    // A separate buffer, so that its tensors are aligned.
    const bytes = Buffer.allocUnsafeSlow(size);
    const hash = createHash('sha256');
    const piece = (start: number) => file.read(bytes, start, Math.min(pieceBytes, size - start), start);
    let coming = size > 0 ? piece(0) : null;
    for (let start = 0; coming; ) {
      const { bytesRead } = await coming.catch((error) => {
        throw damaged(`cannot be read: ${reasonOf(error)}`, error);
      });
      if (bytesRead === 0) throw damaged(`ends at byte ${start}, expected ${size} bytes`);
      const end = start + bytesRead;
      coming = end < size ? piece(end) : null;
      hash.update(bytes.subarray(start, end));
      start = end;
    }
    const digest = hash.digest('hex');
    if (digest !== sha256) throw damaged(`has SHA-256 ${digest}, expected ${sha256}`);
    return bytes;
  } finally {
    await file.close();
  }
}

async function readPart(disk: Disk, directory: string, name: string): Promise<Buffer> {
  try {
    return await disk.readFile(join(directory, name));
  } catch (error) {
    throw new CheckpointError('CHECKPOINT_DAMAGED', `${name} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
