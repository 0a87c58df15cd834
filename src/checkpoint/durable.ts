import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { Disk } from '../disk/disk.js';

/** Bytes hashed and written at a time, so that other work of the process gets its turn between. */
const chunkBytes = 4 * 2 ** 20;

/** Writes a new file from consecutive pieces and waits until it is on the disk. */
export async function writeDurably(
  disk: Disk,
  path: string,
  pieces: readonly Uint8Array[],
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await disk.open(path, 'wx');
  try {
    for (const piece of pieces) {
      for (let start = 0; start < piece.length; start += chunkBytes) {
        const chunk = piece.subarray(start, start + chunkBytes);
        hash.update(chunk);
        await handle.append(chunk);
        bytes += chunk.length;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
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

/** Renames within one directory, durably. */
export async function renameDurably(disk: Disk, from: string, to: string): Promise<void> {
  await disk.rename(from, to);
  await syncDirectory(disk, dirname(to));
}
