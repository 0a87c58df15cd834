import { checkBits, checkLength } from './error.js';

/** Number of 32-bit words of one packed code of `bits` bits (1..64). */
export function wordsPerCode(bits: number): number {
  checkBits(bits);
  return (bits + 31) >>> 5;
}

/**
 * Packs ±1 codes `[n, bits]` into `[n, wordsPerCode(bits)]`: bit k of a row is bit k & 31 of word k >> 5, set for +1.
 * Unused bits are 0, so the Hamming distance of two codes is the popcount of the exclusive or of their words.
 */
export function packCodes(codes: Int8Array, bits: number): Uint32Array {
  const words = wordsPerCode(bits);
  const count = Math.floor(codes.length / bits);
  checkLength('a matrix of codes', codes.length, count * bits);
  const packed = new Uint32Array(count * words);
  let source = 0;
  for (let row = 0; row < count; row++) {
    for (let word = 0; word < words; word++) {
      const width = Math.min(32, bits - word * 32);
      let value = 0;
      // Shift the sign instead of comparing it: random signs would defeat the branch predictor.
      for (let k = 0; k < width; k++) value |= ((codes[source++]! >>> 31) ^ 1) << k;
      packed[row * words + word] = value;
    }
  }
  return packed;
}

/** Inverse of `packCodes`: ±1 codes `[count, bits]`. */
export function unpackCodes(packed: Uint32Array, count: number, bits: number): Int8Array {
  const words = wordsPerCode(bits);
  checkLength('a matrix of packed codes', packed.length, count * words);
  const codes = new Int8Array(count * bits);
  let target = 0;
  for (let row = 0; row < count; row++) {
    for (let word = 0; word < words; word++) {
      const width = Math.min(32, bits - word * 32);
      const value = packed[row * words + word]!;
      for (let k = 0; k < width; k++) codes[target++] = (((value >>> k) & 1) << 1) - 1;
    }
  }
  return codes;
}

/** Whether V is 0: there are no codes before the first V-step. Either all bits are set or none. */
export function isUnset(codes: Int8Array): boolean {
  return codes[0] === 0;
}

/** Number of elements in which new codes differ from the old ones, all of them from V = 0. */
export function changedBits(before: Int8Array, after: Int8Array): number {
  let count = 0;
  for (let i = 0; i < after.length; i++) count += Number(after[i] !== before[i]);
  return count;
}

/** Signs of network outputs as ±1, with sign(0) = +1 (method 1.7). */
export function signCodes(u: Float32Array): Int8Array {
  const codes = new Int8Array(u.length);
  for (let i = 0; i < u.length; i++) codes[i] = u[i]! >= 0 ? 1 : -1;
  return codes;
}

/** Number of set bits of a 32-bit word. */
export function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
