import { crc32 } from 'node:zlib';

/** One file of an archive, as its directory describes it. */
interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const endMark = 0x06054b50;
const directoryMark = 0x02014b50;
const localMark = 0x04034b50;
const endBytes = 22;
/** A comment may follow the end record. */
const mostCommentBytes = 0xffff;

/**
 * Reads an archive of stored (uncompressed) files, as PyTorch writes it. The entries share `bytes`' memory. Sizes and
 * checksums come from the archive's directory, and all of them are checked. Source: APPNOTE.TXT, PKWARE's description
 * of the format.
 * @param fail makes the error for a reason in words
 */
export function readStoredZip(
  bytes: Buffer,
  fail: (reason: string) => Error,
): ReadonlyMap<string, Uint8Array> {
  const end = findEnd(bytes);
  if (end < 0) throw fail('its archive is cut short: the directory at its end is missing');
  const count = bytes.readUInt16LE(end + 10);
  const begin = bytes.readUInt32LE(end + 16);
  if (count === 0xffff || begin === 0xffffffff)
    throw fail('its archive has the format for more than 4 GB, which is not supported');
  const files = new Map<string, Uint8Array>();
  let position = begin;
  for (let i = 0; i < count; i++) {
    if (position + 46 > end || bytes.readUInt32LE(position) !== directoryMark) {
      throw fail(`its archive lists ${count} files, but the entry of file ${i + 1} is damaged`);
    }
    const { name, bytes: content } = readEntry(bytes, position, fail);
    if (files.has(name)) throw fail(`its archive contains ${name} twice`);
    files.set(name, content);
    position +=
      46 +
      bytes.readUInt16LE(position + 28) +
      bytes.readUInt16LE(position + 30) +
      bytes.readUInt16LE(position + 32);
  }
  return files;
}

/** Whether the bytes start like an archive. */
export function isZip(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === localMark;
}

function findEnd(bytes: Buffer): number {
  const first = Math.max(0, bytes.length - endBytes - mostCommentBytes);
  for (let at = bytes.length - endBytes; at >= first; at--) {
    if (bytes.readUInt32LE(at) === endMark && at + endBytes + bytes.readUInt16LE(at + 20) === bytes.length) {
      return at;
    }
  }
  return -1;
}

function readEntry(bytes: Buffer, position: number, fail: (reason: string) => Error): Entry {
  const method = bytes.readUInt16LE(position + 10);
  const checksum = bytes.readUInt32LE(position + 16);
  const size = bytes.readUInt32LE(position + 24);
  const local = bytes.readUInt32LE(position + 42);
  const nameBytes = bytes.readUInt16LE(position + 28);
  const name = bytes.toString('utf8', position + 46, position + 46 + nameBytes);
  if (method !== 0) throw fail(`${name} in its archive is compressed, expected stored files`);
  if (local + 30 > bytes.length || bytes.readUInt32LE(local) !== localMark) {
    throw fail(`${name} is not where its archive says`);
  }
  const begin = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  if (begin + size > bytes.length) throw fail(`${name} ends after the end of its archive`);
  const content = bytes.subarray(begin, begin + size);
  if (crc32(content) !== checksum) throw fail(`${name} in its archive has a wrong checksum`);
  return { name, bytes: content };
}
