import { createHash } from 'node:crypto';
import type { Log } from '../../console/log.js';
import { disk } from '../../disk/disk.js';
import { readPicture } from '../pixels.js';
import { DigestFile, digestBytes, type FileStamp } from './digest-file.js';
import { inParallel } from './parallel.js';

/** Where a machine remembers what its pictures hold. */
export interface DigestMemory {
  /** folder of the file; made where it is absent */
  readonly directory: string;
  /** told once, in a sentence, when nothing can be remembered there */
  readonly onNotice: (message: string) => void;
}

/** The memory in a folder, which warns where it has none. */
export function digestMemory(directory: string, log: Log): DigestMemory {
  return { directory, onNotice: (message) => log.warn(message) };
}

export interface DigestOptions {
  /** null reads every picture and remembers nothing */
  readonly memory: DigestMemory | null;
  /** reads also what is remembered */
  readonly afresh: boolean;
  /** the time of day, in milliseconds since 1970 */
  readonly nowMs: () => number;
  /** gives up between two pictures; what was read till then is remembered */
  readonly signal: AbortSignal | undefined;
  /** told after each picture that was read, with the number of those that are to be read */
  readonly onProgress: (done: number, total: number) => void;
}

/** Pictures in memory at a time; the thread pool reads no more. */
const parallelReads = 8;
/** A file that was written so short a time ago may be written again without another time, so it is not remembered. */
const settledMs = 2_000;
/** What a process that is killed in the middle of many pictures has read in vain, at most. */
const saveEveryMs = 30_000;

/**
 * The SHA-256 of every picture's file, as it is remembered under the file's stamp, or else read.
 *
 * @param files whole paths; `stamps` are those that they were found with
 * @returns `[count, 32]`
 * @throws DatasetError DATASET_IMAGE_MISSING; the signal's reason when aborted
 */
export async function digestPictures(
  imagesRoot: string,
  files: readonly string[],
  stamps: readonly FileStamp[],
  { memory, afresh, nowMs, signal, onProgress }: DigestOptions,
): Promise<Uint8Array> {
  const remembered = memory && (await DigestFile.open(memory.directory, imagesRoot));
  const digests = new Uint8Array(files.length * digestBytes);
  const unknown: number[] = [];
  for (const [index, stamp] of stamps.entries()) {
    const digest = afresh ? undefined : remembered?.find(stamp);
    if (digest === undefined) unknown.push(index);
    else digests.set(digest, index * digestBytes);
  }
  if (unknown.length === 0) return digests;
  const save = saver(memory, remembered);
  let done = 0;
  let savedAt = performance.now();
  const read = async (index: number) => {
    signal?.throwIfAborted();
    const file = files[index]!;
    const digest = sha256(await readPicture(file));
    digests.set(digest, index * digestBytes);
    if (remembered !== null && (await isSettled(file, stamps[index]!, nowMs())))
      remembered.add(stamps[index]!, digest);
    onProgress(++done, unknown.length);
    if (performance.now() - savedAt < saveEveryMs) return;
    savedAt = performance.now();
    await save();
  };
  try {
    await inParallel(parallelReads, unknown, read);
  } finally {
    remembered?.keepOnly(stamps);
    await save();
  }
  return digests;
}

/** SHA-256 of the bytes of a picture's file. */
export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Whether any other content would come with another stamp. */
async function isSettled(file: string, { mtimeNs, ctimeNs }: FileStamp, nowMs: number): Promise<boolean> {
  const settledNs = BigInt(nowMs - settledMs) * 1_000_000n;
  if (mtimeNs > settledNs || ctimeNs > settledNs) return false;
  // One that was written to while it was read has its content from neither time.
  const after = await disk.stamp(file).catch(() => undefined);
  return after?.mtimeNs === mtimeNs && after.ctimeNs === ctimeNs;
}

/** Writes down what is remembered, until that fails once. */
function saver(memory: DigestMemory | null, remembered: DigestFile | null): () => Promise<void> {
  let isRefused = false;
  return async () => {
    if (isRefused) return;
    try {
      await remembered?.save();
    } catch (error) {
      isRefused = true;
      const { code } = error as NodeJS.ErrnoException;
      memory!.onNotice(
        `what pictures hold cannot be remembered in ${memory!.directory} (${code ?? error}), so every start reads them all`,
      );
    }
  };
}
