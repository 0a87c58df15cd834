import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { packedBytes, type StoredForm } from '../../data/stored-picture.js';
import { Disk, type OpenFile } from '../../disk/disk.js';

/** What a packed file holds; files with another description are not read. */
export interface CacheDescription extends StoredForm {
  /** of the dataset */
  fingerprint: string;
  split: string;
  /** images of the split */
  count: number;
  decoder: string;
}

/** Through which the cache is used: what does not answer within a minute fails, and pictures are decoded instead. */
export const cacheDisk = new Disk(60);

const headerBytes = 4096;
/** At the head of a slot: its number plus one (a hole in the file reads as 0), the packed picture's bytes and their CRC-32. */
const sealBytes = 12;

/** Bytes of the file for `description` when every slot is filled. */
export function cacheFileBytes(description: StoredForm & Pick<CacheDescription, 'count'>): number {
  return headerBytes + description.count * (packedBytes(description) + sealBytes);
}

/**
 * Decoded pictures of a split in one form, one fixed slot per image, of which a small one takes its part, open to several processes at once: a slot is
 * believed only when its seal fits, so an image that another process is just writing, or that a crash left half
 * written, reads as absent. Two writers of a slot write the same bytes.
 */
export class CacheFile {
  private readonly file: OpenFile;
  private readonly mostBytes: number;

  private constructor(file: OpenFile, description: CacheDescription) {
    this.file = file;
    this.mostBytes = packedBytes(description);
  }

  /** Opens the file, or makes it where it is absent, was damaged at its head, or has another length. */
  static async open(path: string, description: CacheDescription): Promise<CacheFile> {
    const existing = await openSound(path, description);
    if (existing.file !== undefined) {
      await cacheDisk.touch(path);
      return new CacheFile(existing.file, description);
    }
    const fresh = `${path}.${randomUUID()}.new`;
    await writeEmpty(fresh, description);
    if (existing.found) {
      await cacheDisk.rename(fresh, path);
    } else {
      // Of several processes that make the file at once the first wins, and all use its file.
      await cacheDisk.link(fresh, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await cacheDisk.remove(fresh);
    }
    return new CacheFile(await cacheDisk.open(path, 'r+'), description);
  }

  /** The packed picture, or undefined where the slot is empty or damaged. */
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

  /** @param packed at most as many bytes as a slot has */
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
  const header = Buffer.alloc(headerBytes);
  await file.read(header, 0, headerBytes, 0);
  const { size } = await file.stat();
  if (header.equals(headerOf(description)) && size === cacheFileBytes(description))
    return { found: true, file };
  await file.close();
  return { found: true };
}

async function writeEmpty(path: string, description: CacheDescription): Promise<void> {
  const file = await cacheDisk.open(path, 'w');
  try {
    await file.write(headerOf(description), 0);
    // Slots that were never written are a hole and take no room on the disk.
    await file.truncate(cacheFileBytes(description));
  } finally {
    await file.close();
  }
}
