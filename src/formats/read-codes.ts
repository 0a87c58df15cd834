import { bytesPerCode } from './code-bytes.js';
import { FormatError } from './error.js';

/**
 * Reads a file of codes that `encode --format npy` has written, or another NumPy array of bytes.
 * @param file name for messages
 * @returns `[count, bytesPerCode(bits)]`, a view of the file
 * @throws FormatError `FORMAT_CODE_FILE`
 */
export function readNpyCodes(bytes: Uint8Array, bits: number, file: string): Uint8Array {
  const fail = (what: string) => new FormatError('FORMAT_CODE_FILE', `the code file ${file} ${what}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 12 || text.toString('latin1', 0, 6) !== '\x93NUMPY') {
    throw fail('is not in NumPy format, expected what "fcaenet encode --format npy" writes');
  }
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? text.readUInt16LE(8) : text.readUInt32LE(8));
  if (bytes.length < end) throw fail(`has ${bytes.length} bytes, but its header alone has ${end}`);
  const header = text.toString('latin1', start, Math.min(end, start + 1000));
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!/'descr': '\|u1'/.test(header) || !/'fortran_order': False/.test(header) || shape === null) {
    throw fail(`has the header ${header.trim()}, expected rows of unsigned bytes`);
  }
  const [count, width] = [Number(shape[1]), Number(shape[2])];
  const expected = bytesPerCode(bits);
  if (width !== expected) {
    throw fail(`has codes of ${width} bytes, but the run has ${bits} bits, expected ${expected} bytes`);
  }
  if (bytes.length !== end + count * width) {
    throw fail(
      `has ${bytes.length - end} bytes of codes, expected ${count * width} for ${count} codes of ${width} bytes`,
    );
  }
  return bytes.subarray(end);
}
