import { packCodes, wordsPerCode } from '../hashing/codes.js';

/** Number of bytes of one code of `bits` bits (1..64). */
export function bytesPerCode(bits: number): number {
  return (bits + 7) >>> 3;
}

/**
 * Packs ±1 codes `[n, bits]` into bytes `[n, bytesPerCode(bits)]`: bit k of a row is bit k & 7 of byte k >> 3, set for +1.
 * Unused bits are 0. It is the order of `numpy.packbits(codes > 0, axis=1, bitorder='little')`.
 */
export function codeBytes(codes: Int8Array, bits: number): Uint8Array<ArrayBuffer> {
  return bytesOfPackedCodes(packCodes(codes, bits), bits);
}

/** The same for codes that are packed already `[n, wordsPerCode(bits)]`; see `packCodes`. */
export function bytesOfPackedCodes(packed: Uint32Array, bits: number): Uint8Array<ArrayBuffer> {
  const words = wordsPerCode(bits);
  const width = bytesPerCode(bits);
  const count = packed.length / words;
  const bytes = new Uint8Array(count * width);
  for (let row = 0; row < count; row++) {
    for (let byte = 0; byte < width; byte++) {
      bytes[row * width + byte] = packed[row * words + (byte >>> 2)]! >>> (8 * (byte & 3));
    }
  }
  return bytes;
}

/**
 * The inverse of {@link bytesOfPackedCodes}; unused bits are dropped.
 * @param bytes `[n, bytesPerCode(bits)]`
 * @returns `[n, wordsPerCode(bits)]`
 */
export function packedCodesOfBytes(bytes: Uint8Array, bits: number): Uint32Array<ArrayBuffer> {
  const words = wordsPerCode(bits);
  const width = bytesPerCode(bits);
  const count = bytes.length / width;
  const packed = new Uint32Array(count * words);
  const last = bits % 8 === 0 ? 255 : (1 << (bits % 8)) - 1;
  for (let row = 0; row < count; row++) {
    for (let byte = 0; byte < width; byte++) {
      const value = bytes[row * width + byte]! & (byte === width - 1 ? last : 255);
      packed[row * words + (byte >>> 2)]! |= value << (8 * (byte & 3));
    }
  }
  return packed;
}
