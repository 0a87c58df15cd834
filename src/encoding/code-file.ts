import { bytesPerCode } from '../formats/code-bytes.js';
import { encodeCsv } from '../formats/csv.js';
import { encodeFaissIndex } from '../formats/faiss.js';
import { encodeNpy } from '../formats/npy.js';
import type { CodeFormat } from './code-format.js';

/**
 * A file of codes as consecutive pieces.
 * @param codes `[count, bytesPerCode(bits)]`
 * @param paths of the pictures `[count]`; only CSV has them
 */
export function codeFilePieces(
  format: CodeFormat,
  codes: Uint8Array,
  bits: number,
  paths: readonly string[],
): Iterable<Uint8Array> {
  const width = bytesPerCode(bits);
  if (format === 'npy') return encodeNpy(codes, [paths.length, width]);
  if (format === 'faiss') return encodeFaissIndex(codes, bits);
  const rows = paths.map((path, i) => [path, bitsOf(codes.subarray(i * width, (i + 1) * width), bits)]);
  return [Buffer.from(encodeCsv(['path', 'code'], rows))];
}

/** The bits of a code in order, as digits. */
function bitsOf(code: Uint8Array, bits: number): string {
  return Array.from({ length: bits }, (_, k) => (code[k >>> 3]! >>> (k & 7)) & 1).join('');
}
