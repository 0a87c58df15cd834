import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { disk } from '../../disk/disk.js';

/** Bytes of a SHA-256. */
export const digestBytes = 32;

/** What tells whether a file is still the one that was read: a replaced or rewritten one differs in some of it. */
export interface FileStamp {
  readonly ino: bigint;
  /** bytes */
  readonly size: bigint;
  readonly mtimeNs: bigint;
  /** of the last change to the file or to what is known of it; no program can set it back */
  readonly ctimeNs: bigint;
}

const mark = Buffer.from('fcaenet picture digests 1\n');
/** CRC-32 of the records. */
const sealBytes = 4;
const stampBytes = 32;
const recordBytes = stampBytes + digestBytes;

/**
 * The digests of a folder's pictures from one process to the next, by what tells that a file is unchanged: the mark, the
 * CRC-32 of the records, then for each picture inode, size, mtime and ctime (uint64, little-endian) and SHA-256. A file
 * of another version, damaged or absent, remembers nothing. It is only ever replaced whole, so of several processes that
 * write it the last one wins, and what it lacks is read once more.
 */
export class DigestFile {
  private readonly records = new Map<string, Buffer>();

  private constructor(private readonly file: string) {}

  /**
   * @param directory where such files are kept
   * @param imagesRoot the folder of the pictures, which names the file
   */
  static async open(directory: string, imagesRoot: string): Promise<DigestFile> {
    const name = createHash('sha256')
      .update(await disk.realPath(imagesRoot))
      .digest('hex')
      .slice(0, 16);
    const opened = new DigestFile(path.join(directory, `${name}.digests`));
    await opened.read();
    return opened;
  }

  /** The SHA-256 of the file's content; undefined where it is not known. */
  find(stamp: FileStamp): Buffer | undefined {
    return this.records.get(keyOf(stamp))?.subarray(stampBytes);
  }

  add(stamp: FileStamp, digest: Uint8Array): void {
    const record = Buffer.alloc(recordBytes);
    stampOf(stamp).copy(record);
    record.set(digest, stampBytes);
    this.records.set(keyOf(stamp), record);
  }

  /** Forgets every file that is not among these. */
  keepOnly(stamps: readonly FileStamp[]): void {
    const kept = new Set(stamps.map(keyOf));
    for (const key of this.records.keys()) if (!kept.has(key)) this.records.delete(key);
  }

  /** Throws what making the folder and writing the file throws. */
  async save(): Promise<void> {
    const records = Buffer.concat([...this.records.values()]);
    const seal = Buffer.alloc(sealBytes);
    seal.writeUInt32LE(crc32(records));
    const fresh = `${this.file}.${randomUUID()}.new`;
    await disk.makeFolder(path.dirname(this.file));
    try {
      await disk.writeFile(fresh, Buffer.concat([mark, seal, records]));
      await disk.rename(fresh, this.file);
    } catch (error) {
      await disk.remove(fresh);
      throw error;
    }
  }

  private async read(): Promise<void> {
    // Without it everything is read, which is all that a file which cannot be read costs.
    const bytes = await disk.readFile(this.file).catch(() => Buffer.alloc(0));
    const head = mark.length + sealBytes;
    if (bytes.length < head || !bytes.subarray(0, mark.length).equals(mark)) return;
    const records = bytes.subarray(head);
    if (records.length % recordBytes !== 0 || crc32(records) !== bytes.readUInt32LE(mark.length)) return;
    for (let at = 0; at < records.length; at += recordBytes) {
      const record = records.subarray(at, at + recordBytes);
      this.records.set(record.toString('latin1', 0, stampBytes), record);
    }
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: FileStamp): Buffer {
  const stamp = Buffer.alloc(stampBytes);
  [ino, size, mtimeNs, ctimeNs].forEach((value, index) => {
    stamp.writeBigUInt64LE(BigInt.asUintN(64, value), 8 * index);
  });
  return stamp;
}

function keyOf(stamp: FileStamp): string {
  return stampOf(stamp).toString('latin1');
}
