import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { packedBytes, type StoredForm } from '../../data/stored-picture.js';
import { Disk, type OpenFile } from '../../disk/disk.js';

/** Describes the content of a packed file. Files with another description are not read. */
export interface CacheDescription extends StoredForm {
  /** of the dataset */
  fingerprint: string;
  split: string;
  /** images of the split */
  count: number;
  decoder: string;
}

/** Disk access of the cache. An operation that takes longer than a minute fails, and pictures are decoded instead. */
export const cacheDisk = new Disk(60);

const headerBytes = 4096;
/** At the head of a slot: its number plus one (a hole in the file reads as 0), the packed picture's bytes and their CRC-32. */
const sealBytes = 12;

/** Size in bytes of the file for `description` when every slot is filled. */
export function cacheFileBytes(description: StoredForm & Pick<CacheDescription, 'count'>): number {
  return headerBytes + description.count * (packedBytes(description) + sealBytes);
}

/**
 * Decoded pictures of a split in one form. Every image has a slot of fixed size, and a small picture fills part of it.
 * Several processes may have the file open. A slot is valid only when its header matches, so an image that is being
 * written, or that a crash left incomplete, reads as absent. Two writers of a slot write the same bytes.
 */
export class CacheFile {
  private readonly file: OpenFile;
  private readonly mostBytes: number;

  private constructor(file: OpenFile, description: CacheDescription) {
    this.file = file;
    this.mostBytes = packedBytes(description);
  }

  /** Opens the file. Creates it when it does not exist, has a damaged header, or has another length. */
  static async open(path: string, description: CacheDescription): Promise<CacheFile> {
    const existing = await openSound(path, description);
    if (existing.file !== undefined) return new CacheFile(existing.file, description);
    const fresh = `${path}.${randomUUID()}.new`;
    await writeEmpty(fresh, description);
    if (existing.found) {
      await cacheDisk.rename(fresh, path);
    } else {
      // When several processes create the file at once, the first one wins and all use its file.
      await cacheDisk.link(fresh, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await cacheDisk.remove(fresh);
    }
    return new CacheFile(await cacheDisk.open(path, 'r+'), description);
  }

  /** The packed picture, or undefined when the slot is empty or damaged. */
  async read(index: number): Promise<Uint8Array | undefined> {
    const slot = new Uint8Array(sealBytes + this.mostBytes);
    const { bytesRead } = await this.file.read(slot, 0, slot.length, this.offset(index));
    if (bytesRead !== slot.length) return undefined;
    const seal = new DataView(slot.buffer, 0, sealBytes);
    if (seal.getUint32(0, true) !== index + 1) return undefined;
    const bytes = seal.getUint32(4, true);
    if (bytes > this.mostBytes) return undefined;
    const packed = slot.subarray(sealBytes, sealBytes + bytes);
    return seal.getUint32(8, true) === crc32(packed) ? packed : undefined;
  }

  /** @param packed at most one slot's size */
  async write(index: number, packed: Uint8Array): Promise<void> {
    const slot = new Uint8Array(sealBytes + packed.length);
    slot.set(packed, sealBytes);
    const seal = new DataView(slot.buffer, 0, sealBytes);
    seal.setUint32(0, index + 1, true);
    seal.setUint32(4, packed.length, true);
    seal.setUint32(8, crc32(packed), true);
    await this.file.write(slot, this.offset(index));
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private offset(index: number): number {
    return headerBytes + index * (this.mostBytes + sealBytes);
  }
}

function headerOf(description: CacheDescription): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write(`fcaenet packed pixels 2\n${JSON.stringify(description)}\n`);
  return header;
}

/** Opens the file and sets its times to now. @returns whether a file is there, and the open file if it is sound */
async function openSound(
  path: string,
  description: CacheDescription,
): Promise<{ found: boolean; file?: OpenFile }> {
  let file: OpenFile;
  try {
    file = await cacheDisk.open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { found: false };
    throw error;
  }
  try {
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, headerBytes, 0);
    const { size } = await file.stat();
    if (header.equals(headerOf(description)) && size === cacheFileBytes(description)) {
      await cacheDisk.touch(path);
      return { found: true, file };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return { found: true };
}

async function writeEmpty(path: string, description: CacheDescription): Promise<void> {
  const file = await cacheDisk.open(path, 'w');
  try {
    await file.write(headerOf(description), 0);
    // Unwritten slots are a hole in the file and use no disk space.
    await file.truncate(cacheFileBytes(description));
  } finally {
    await file.close();
  }
}
