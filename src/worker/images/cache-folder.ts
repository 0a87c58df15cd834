import { createHash } from 'node:crypto';
import path from 'node:path';
import { undefinedIfAbsent } from '../../run/presence.js';
import { type CacheDescription, CacheFile, cacheDisk, cacheFileBytes } from './cache-file.js';

const cacheSuffix = '.pixels';

/** The file, or the reason why no cache is used. */
export type CacheFolderAnswer = { file: CacheFile } | { problem: string };

/**
 * Opens the packed file of a split in a folder whose total size is limited. To make space, it removes files of other
 * datasets, sizes or decoders, the least recently used first. Files of the same dataset, size and decoder stay. A
 * process that has a removed file open can still use it.
 */
export async function openInCacheFolder(
  folder: string,
  limitBytes: number,
  description: CacheDescription,
): Promise<CacheFolderAnswer> {
  const needed = cacheFileBytes(description);
  const family = familyOf(description);
  const name = `${family}-${description.split}${cacheSuffix}`;
  try {
    await cacheDisk.makeFolder(folder);
    const others = (await packedFiles(folder)).filter((file) => file.name !== name);
    const relatives = others.filter((file) => file.name.startsWith(family));
    const kept = relatives.reduce((sum, file) => sum + file.bytes, 0);
    if (kept + needed > limitBytes) {
      return {
        problem: `the ${description.split} split at ${description.imageSize} pixels needs ${needed} bytes of image cache${kept > 0 ? ` beside ${kept} of the same dataset` : ''}, more than the limit of ${limitBytes}, so its images are decoded each time`,
      };
    }
    await makeRoom(
      folder,
      others.filter((file) => !relatives.includes(file)),
      limitBytes - kept - needed,
    );
    return { file: await CacheFile.open(path.join(folder, name), description) };
  } catch (error) {
    return {
      problem: `the image cache ${folder} cannot be used (${(error as NodeJS.ErrnoException).code ?? error}), so images are decoded each time`,
    };
  }
}

interface PackedFile {
  name: string;
  bytes: number;
  usedMs: number;
}

function familyOf({ fingerprint, imageSize, crop, decoder }: CacheDescription): string {
  const decoderHash = createHash('sha256').update(decoder).digest('hex').slice(0, 8);
  return `${fingerprint.slice(0, 16)}-${decoderHash}-${imageSize}${crop === 'none' ? '' : `-${crop}`}`;
}

async function packedFiles(folder: string): Promise<PackedFile[]> {
  const names = (await cacheDisk.readdir(folder)).filter((name) => name.endsWith(cacheSuffix));
  const files = await Promise.all(
    names.map(async (name) => {
      // Another process may remove a file between the two calls.
      const status = await cacheDisk.stat(path.join(folder, name)).catch(undefinedIfAbsent);
      return status && { name, bytes: status.size, usedMs: status.mtimeMs };
    }),
  );
  return files.filter((file) => file !== undefined);
}

async function makeRoom(folder: string, files: PackedFile[], allowedBytes: number): Promise<void> {
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  for (const file of files.toSorted((left, right) => left.usedMs - right.usedMs)) {
    if (bytes <= allowedBytes) return;
    await cacheDisk.remove(path.join(folder, file.name));
    bytes -= file.bytes;
  }
}
