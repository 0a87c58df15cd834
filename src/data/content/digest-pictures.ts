import { createHash } from 'node:crypto';
import type { Log } from '../../console/log.js';
import { disk } from '../../disk/disk.js';
import { readPicture } from '../picture-file.js';
import { DigestFile, digestBytes, type FileStamp } from './digest-file.js';
import { inParallel } from './parallel.js';

/** Where a machine stores the digests of its pictures. */
export interface DigestMemory {
  /** folder of the file; created when it does not exist */
  readonly directory: string;
  /** called once, with a sentence, when nothing can be stored there */
  readonly onNotice: (message: string) => void;
}

/** The digest memory in a folder; logs a warning when it cannot be used. */
export function digestMemory(directory: string, log: Log): DigestMemory {
  return { directory, onNotice: (message) => log.warn(message) };
}

export interface DigestOptions {
  /** null reads every picture and stores nothing */
  readonly memory: DigestMemory | null;
  /** also reads pictures whose digest is stored */
  readonly afresh: boolean;
  /** the time of day, in milliseconds since 1970 */
  readonly nowMs: () => number;
  /** stops between two pictures; the digests so far are stored */
  readonly signal: AbortSignal | undefined;
  /** called after each picture that was read, with the number of pictures to read */
  readonly onProgress: (done: number, total: number) => void;
}

/** Pictures in memory at the same time; the thread pool reads no more. */
const parallelReads = 8;
/** A file that was written this recently may change without a new time stamp, so its digest is not stored. */
const settledMs = 2_000;
/** Interval of saves: a killed process loses at most the work of this time. */
const saveEveryMs = 30_000;

/**
 * The SHA-256 of every picture's file: the stored one under the file's stamp, or computed by reading it.
 * @param files absolute paths; `stamps` are their stamps
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

/** Whether any other content would have another stamp. */
async function isSettled(file: string, { mtimeNs, ctimeNs }: FileStamp, nowMs: number): Promise<boolean> {
  const settledNs = BigInt(nowMs - settledMs) * 1_000_000n;
  if (mtimeNs > settledNs || ctimeNs > settledNs) return false;
  // A file that changed while it was read has mixed content.
  const after = await disk.stamp(file).catch(() => undefined);
  return after?.mtimeNs === mtimeNs && after.ctimeNs === ctimeNs;
}

/** Saves the digests, until the first failure. */
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
        `picture digests cannot be stored in ${memory!.directory} (${code ?? error}), so every start reads all pictures`,
      );
    }
  };
}
