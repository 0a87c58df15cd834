import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { disk } from '../../disk/disk.js';

/** Bytes of a SHA-256. */
export const digestBytes = 32;

/** Identifies a file's content: a replaced or rewritten file differs in at least one value. */
export interface FileStamp {
  readonly ino: bigint;
  /** bytes */
  readonly size: bigint;
  readonly mtimeNs: bigint;
  /** of the last change to the file or its metadata; no program can set it back */
  readonly ctimeNs: bigint;
}

const mark = Buffer.from('fcaenet picture digests 1\n');
/** CRC-32 of the records. */
const checksumBytes = 4;
const stampBytes = 32;
const recordBytes = stampBytes + digestBytes;

/**
 * Stores the digests of a folder's pictures between processes. Content: the mark, the CRC-32 of the records, then for
 * each picture inode, size, mtime and ctime (uint64, little-endian) and SHA-256. A file of another version, a damaged
 * file and a missing file count as empty. The file is only replaced as a whole: of several processes that write it the
 * last one wins, and missing pictures are read again.
 */
export class DigestFile {
  private readonly records = new Map<string, Buffer>();

  private constructor(private readonly file: string) {}

  /**
   * @param directory folder of such files
   * @param imagesRoot the folder of the pictures, which determines the file's name
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

  /** The stored SHA-256 of the file's content; undefined when there is none. */
  find(stamp: FileStamp): Buffer | undefined {
    return this.records.get(keyOf(stamp))?.subarray(stampBytes);
  }

  add(stamp: FileStamp, digest: Uint8Array): void {
    const record = Buffer.alloc(recordBytes);
    stampOf(stamp).copy(record);
    record.set(digest, stampBytes);
    this.records.set(keyOf(stamp), record);
  }

  /** Removes every file that is not in this list. */
  keepOnly(stamps: readonly FileStamp[]): void {
    const kept = new Set(stamps.map(keyOf));
    for (const key of this.records.keys()) if (!kept.has(key)) this.records.delete(key);
  }

  /** Throws the errors of creating the folder and writing the file. */
  async save(): Promise<void> {
    const records = Buffer.concat([...this.records.values()]);
    const checksum = Buffer.alloc(checksumBytes);
    checksum.writeUInt32LE(crc32(records));
    const fresh = `${this.file}.${randomUUID()}.new`;
    await disk.makeFolder(path.dirname(this.file));
    try {
      await disk.writeFile(fresh, Buffer.concat([mark, checksum, records]));
      await disk.rename(fresh, this.file);
    } catch (error) {
      await disk.remove(fresh);
      throw error;
    }
  }

  private async read(): Promise<void> {
    // An unreadable file only means that every picture is read again.
    const bytes = await disk.readFile(this.file).catch(() => Buffer.alloc(0));
    const head = mark.length + checksumBytes;
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
