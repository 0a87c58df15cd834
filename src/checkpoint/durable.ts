import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.js';
import { writePieces } from '../disk/whole-file.js';

/** Writes a new file from consecutive pieces and waits until it is on the disk. */
export async function writeDurably(
  disk: Disk,
  path: string,
  pieces: readonly Uint8Array[],
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await writePieces(disk, path, pieces, 'wx', (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  return { bytes, sha256: hash.digest('hex') };
}
