import protobuf from 'protobufjs';
import type { Chunk } from './generated/fcaenet/v1/Chunk.js';

const lengthDelimited = 2;
/** Tags of the fields of `Chunk`. */
const tags = { transfer: 1 << 3, offset: 2 << 3, data: (3 << 3) | lengthDelimited } as const;

/**
 * A message that consists of a chunk: what is before its data, and its data, in their own memory.
 * @param field its number in the message
 */
export function encodeChunk(field: number, { transfer = 0, offset = 0, data = '' }: Chunk): Uint8Array[] {
  const bytes = data as Uint8Array;
  const fields = protobuf.Writer.create()
    .uint32(tags.transfer)
    .uint32(transfer)
    .uint32(tags.offset)
    .uint64(Number(offset))
    .uint32(tags.data)
    .uint32(bytes.byteLength)
    .finish();
  const head = protobuf.Writer.create()
    .uint32((field << 3) | lengthDelimited)
    .uint32(fields.byteLength + bytes.byteLength)
    .finish();
  return [Buffer.concat([head, fields]), bytes];
}
