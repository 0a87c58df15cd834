import { crc32 } from 'node:zlib';
import { disk, type OpenFile } from '../disk/disk.js';
import { isAbsence } from '../run/presence.js';
import { EncodingError } from './error.js';

const crcBytes = 4;
const mostHeaderBytes = 4096;
const headerStart = '{"format":"fcaenet-codes",';

/** What the codes of a journal are of. Only the same work goes on with it. */
export interface EncodeWork {
  /** SHA-256 (hex) of the network's weights and hash function. */
  readonly networkSha256: string;
  /** SHA-256 (hex) of the pictures' paths. */
  readonly picturesSha256: string;
  readonly bits: number;
  readonly engine: string;
}

/** Fields of a work in messages. */
const fieldNames: Readonly<Record<keyof EncodeWork, string>> = {
  networkSha256: 'another network',
  picturesSha256: 'other pictures',
  bits: 'another code length',
  engine: 'another engine',
};

/**
 * The codes of an unfinished work: a line that describes it, then one record for each batch, in order. A record is the
 * batch's codes and their CRC-32, so that a record that was torn by a crash is computed again.
 */
export class Journal {
  /** Batches whose codes it has. */
  batches = 0;
  private end: number;

  private constructor(
    private readonly path: string,
    private readonly file: OpenFile,
    headerBytes: number,
  ) {
    this.end = headerBytes;
  }

  /**
   * Opens the journal of a work, or begins it. One without codes is begun anew, whatever work it was of.
   * @param sizes bytes of each batch's codes
   * @param codes takes the codes that are there
   * @throws EncodingError ENCODING_OTHER_WORK, ENCODING_OUTPUT_UNUSABLE
   */
  static async open(
    path: string,
    work: EncodeWork,
    sizes: readonly number[],
    codes: Uint8Array,
  ): Promise<Journal> {
    const header = Buffer.from(`${JSON.stringify({ format: 'fcaenet-codes', version: 1, ...work })}\n`);
    const file = await openOrBegin(path, header);
    try {
      await beginAnewOrRequireSameWork(file, path, work, header);
      const journal = new Journal(path, file, header.length);
      await journal.read(sizes, codes);
      return journal;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Adds the codes of the next batch. @throws EncodingError ENCODING_OUTPUT_UNUSABLE */
  async append(codes: Uint8Array): Promise<void> {
    const record = new Uint8Array(codes.length + crcBytes);
    record.set(codes);
    new DataView(record.buffer).setUint32(codes.length, crc32(codes), true);
    await this.file.write(record, this.end).catch((cause) => {
      throw unusable(this.path, cause, '; the codes before are kept, and the same command goes on');
    });
    this.end += record.length;
    this.batches++;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private async read(sizes: readonly number[], codes: Uint8Array): Promise<void> {
    let start = 0;
    for (const size of sizes) {
      const record = new Uint8Array(size + crcBytes);
      const { bytesRead } = await this.file.read(record, 0, record.length, this.end);
      const found = record.subarray(0, size);
      const crc = new DataView(record.buffer).getUint32(size, true);
      if (bytesRead < record.length || crc !== crc32(found)) return;
      codes.set(found, start);
      start += size;
      this.end += record.length;
      this.batches++;
    }
  }
}

async function openOrBegin(path: string, header: Buffer): Promise<OpenFile> {
  try {
    const found = await disk.open(path, 'r+').catch((error) => {
      if (!isAbsence(error)) throw error;
      return null;
    });
    if (found !== null) return found;
    const begun = await disk.open(path, 'wx+');
    await begun.write(header, 0);
    return begun;
  } catch (cause) {
    throw unusable(path, cause, ', expected a folder that exists and can be written to');
  }
}

function unusable(path: string, cause: unknown, rest: string): EncodingError {
  const { code } = cause as NodeJS.ErrnoException;
  return new EncodingError(
    'ENCODING_OUTPUT_UNUSABLE',
    `${path} cannot be written (${code ?? cause})${rest}`,
    { cause },
  );
}

async function beginAnewOrRequireSameWork(
  file: OpenFile,
  path: string,
  work: EncodeWork,
  header: Buffer,
): Promise<void> {
  const start = Buffer.alloc(Math.max(header.length, mostHeaderBytes));
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  if (start.subarray(0, header.length).equals(header)) return;
  if (hasNoCodes(start.toString('utf8', 0, bytesRead))) {
    await file.truncate(0);
    await file.write(header, 0);
    return;
  }
  throw new EncodingError(
    'ENCODING_OTHER_WORK',
    `${path} has codes of ${differencesOf(start, work)}; remove it to encode from the beginning, or choose another --output`,
  );
}

/** Whether a file is empty, or a journal of which there is no more than the first line. */
function hasNoCodes(text: string): boolean {
  if (text === '') return true;
  const isJournal = text.startsWith(headerStart) || headerStart.startsWith(text);
  const endOfLine = text.indexOf('\n');
  return isJournal && (endOfLine < 0 || endOfLine === text.length - 1) && text.length < mostHeaderBytes;
}

function differencesOf(start: Buffer, work: EncodeWork): string {
  try {
    const found = JSON.parse(start.toString('utf8', 0, start.indexOf('\n')));
    const fields = Object.keys(fieldNames) as (keyof EncodeWork)[];
    const names = fields.filter((field) => found[field] !== work[field]).map((field) => fieldNames[field]);
    if (names.length > 0) return names.join(', ');
  } catch {
    // It is no journal at all.
  }
  return 'unknown origin';
}
