import { bytesPerCode } from './code-bytes.js';

/** FAISS's number for inner products. `IndexBinaryFlat` has it as the default, and does not use it. */
const metricType = 1;

/**
 * Codes as the consecutive pieces of a FAISS file: an `IndexBinaryFlat`, which `faiss.read_index_binary` reads. It ranks
 * by Hamming distance, over all codes. The dimension is 8 · `bytesPerCode(bits)`: FAISS wants whole bytes, and the unused
 * bits are 0 in every code. The position of a code in the file is its id in FAISS. Source: the layout that FAISS 1.7 to
 * 1.15 writes.
 * @param bytes `[n, bytesPerCode(bits)]`; see `codeBytes`. The last piece shares its memory.
 */
export function encodeFaissIndex(bytes: Uint8Array, bits: number): Uint8Array[] {
  const width = bytesPerCode(bits);
  const head = Buffer.alloc(33);
  head.write('IBxF', 'latin1');
  head.writeInt32LE(8 * width, 4);
  head.writeInt32LE(width, 8);
  head.writeBigInt64LE(BigInt(bytes.length / width), 12);
  // It is trained: a flat index needs no training.
  head.writeUInt8(1, 20);
  head.writeInt32LE(metricType, 21);
  head.writeBigUInt64LE(BigInt(bytes.length), 25);
  return [head, bytes];
}
