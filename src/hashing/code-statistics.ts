import { checkBits, checkLength } from './error.js';

/** How evenly and how independently the bits of codes are used. */
export interface CodeStatistics {
  /** Share of rows whose bit is +1; a half is best `[bits]` */
  readonly balance: Float64Array;
  /** Pearson correlation of each two bits, 0 for a bit that is the same in all rows `[bits, bits]` */
  readonly correlation: Float64Array;
  /** Number of different codes. */
  readonly distinct: number;
}

/**
 * Measures the bits of ±1 codes.
 * @param codes `[n, bits]`
 * @throws HashingError `HASHING_BITS`, `HASHING_SHAPE`
 */
export function codeStatistics(codes: Int8Array, bits: number): CodeStatistics {
  checkBits(bits);
  const rows = Math.floor(codes.length / bits);
  checkLength('a matrix of codes', codes.length, rows * bits);
  const sums = new Float64Array(bits);
  const products = new Float64Array(bits * bits);
  const seen = new Set<string>();
  for (let row = 0; row < rows; row++) {
    const code = codes.subarray(row * bits, (row + 1) * bits);
    for (let i = 0; i < bits; i++) {
      sums[i]! += code[i]!;
      for (let j = 0; j < i; j++) products[i * bits + j]! += code[i]! * code[j]!;
    }
    seen.add(textOf(code));
  }
  const mean = sums.map((sum) => sum / rows);
  const correlation = new Float64Array(bits * bits);
  for (let i = 0; i < bits; i++) {
    for (let j = 0; j < i; j++) {
      // The square of ±1 is 1, so a bit's variance is 1 minus the square of its mean.
      const deviation = Math.sqrt((1 - mean[i]! ** 2) * (1 - mean[j]! ** 2));
      const covariance = products[i * bits + j]! / rows - mean[i]! * mean[j]!;
      const value = deviation === 0 ? 0 : covariance / deviation;
      correlation[i * bits + j] = value;
      correlation[j * bits + i] = value;
    }
    correlation[i * bits + i] = Math.abs(mean[i]!) === 1 ? 0 : 1;
  }
  return { balance: mean.map((value) => (1 + value) / 2), correlation, distinct: seen.size };
}

/** A key of a code: a character for each 16 bits. */
function textOf(code: Int8Array): string {
  const units: number[] = [];
  for (let start = 0; start < code.length; start += 16) {
    let unit = 0;
    for (let k = start; k < Math.min(code.length, start + 16); k++) unit = 2 * unit + (code[k]! > 0 ? 1 : 0);
    units.push(unit);
  }
  return String.fromCharCode(...units);
}
