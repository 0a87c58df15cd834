/** Reproducible values in (−scale, scale), one sequence per key. */
export function valuesOf(key: number, count: number, scale: number): Float32Array {
  return Float32Array.from({ length: count }, (_unused, index) => {
    let word = Math.imul(key + 1, 0x9e3779b9) ^ Math.imul(index + 1, 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 16), 0xc2b2ae35);
    word = Math.imul(word ^ (word >>> 13), 0x27d4eb2f);
    return (((word ^ (word >>> 16)) >>> 8) / 2 ** 23 - 1) * scale;
  });
}

/** Largest absolute difference over the largest absolute value of `expected`. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    return Number.POSITIVE_INFINITY;
  }
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / Math.max(largest, Number.MIN_VALUE);
}
