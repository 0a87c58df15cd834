import { crc32 } from 'node:zlib';

/** A file of an archive, as consecutive pieces. */
export interface ZippedFile {
  readonly name: string;
  readonly pieces: readonly Uint8Array[];
}

/** Extra field of a local header whose content a reader skips: it moves the file's first byte to an aligned position. */
const paddingField = 0x4246;
/** The format without its extension for large archives counts bytes in 32 bits. */
const mostBytes = 0xffffffff;

/**
 * An archive of stored (uncompressed) files as consecutive pieces, which share memory with the files. Source:
 * APPNOTE.TXT, PKWARE's description of the format.
 * @param alignment each file's content begins at a multiple of this number of bytes
 * @throws RangeError when the archive would have 4 GiB or more
 */
export function encodeStoredZip(files: readonly ZippedFile[], alignment: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const { name, pieces: content } of files) {
    const bytes = content.reduce((sum, piece) => sum + piece.length, 0);
    const checksum = content.reduce((sum, piece) => crc32(piece, sum), 0);
    const shared = sharedFields(checksum, bytes, Buffer.byteLength(name));
    const begin = position + 30 + Buffer.byteLength(name);
    // The extra field has a header of four bytes itself.
    const padding = (alignment - ((begin + 4) % alignment)) % alignment;
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04'),
      shared,
      uint16(4 + padding),
      Buffer.from(name),
      uint16(paddingField),
      uint16(padding),
      Buffer.alloc(padding),
    ]);
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02'),
        uint16(versionNeeded),
        shared,
        // No extra field and no comment, disk 0, no attributes.
        Buffer.alloc(12),
        uint32(position),
        Buffer.from(name),
      ]),
    );
    pieces.push(local, ...content);
    position += local.length + bytes;
    if (position > mostBytes)
      throw new RangeError(`An archive has ${position} bytes, expected at most ${mostBytes}.`);
  }
  const list = Buffer.concat(directory);
  const end = Buffer.concat([
    Buffer.from('PK\x05\x06'),
    uint32(0),
    uint16(files.length),
    uint16(files.length),
    uint32(list.length),
    uint32(position),
    uint16(0),
  ]);
  return [...pieces, list, end];
}

const versionNeeded = 20;

/** From the version to the length of the name: the same in the local header and in the directory. */
function sharedFields(checksum: number, bytes: number, nameBytes: number): Buffer {
  return Buffer.concat([
    uint16(versionNeeded),
    // No flags, method "stored", no time, and the first day that the format can express.
    uint16(0),
    uint16(0),
    uint16(0),
    uint16((1 << 5) | 1),
    uint32(checksum),
    uint32(bytes),
    uint32(bytes),
    uint16(nameBytes),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
