import { dirname } from 'node:path';
import type { Disk } from './disk.js';

/** Bytes written at a time, so that other work of the process gets its turn between. */
const chunkBytes = 4 * 2 ** 20;

/**
 * Writes a file from consecutive pieces and waits until it is on the disk.
 * @param flags `w` replaces what is there, `wx` is for a new file
 * @param onWritten called with each chunk; what it throws ends the writing
 */
export async function writePieces(
  disk: Disk,
  path: string,
  pieces: Iterable<Uint8Array>,
  flags: 'w' | 'wx' = 'w',
  onWritten: (chunk: Uint8Array) => void = () => {},
): Promise<void> {
  const file = await disk.open(path, flags);
  try {
    for (const piece of pieces) {
      for (let start = 0; start < piece.length; start += chunkBytes) {
        const chunk = piece.subarray(start, start + chunkBytes);
        await file.append(chunk);
        onWritten(chunk);
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * The same, but the file is complete from the moment it has its name, and replaces what had it. When it fails, nothing
 * is left of it.
 */
export async function writeWhole(
  disk: Disk,
  path: string,
  pieces: Iterable<Uint8Array>,
  onWritten?: (chunk: Uint8Array) => void,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writePieces(disk, temporary, pieces, 'w', onWritten);
    await renameDurably(disk, temporary, path);
  } catch (error) {
    await disk.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Renames within one directory, durably. */
export async function renameDurably(disk: Disk, from: string, to: string): Promise<void> {
  await disk.rename(from, to);
  await syncDirectory(disk, dirname(to));
}

/** Waits until a directory's entries are on the disk. Without it, a power failure may undo a rename. */
export async function syncDirectory(disk: Disk, path: string): Promise<void> {
  const handle = await disk.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
