const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The float32 number that has these bits. */
export function valueOfBits(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

/** The float32 number whose upper half is given. */
export function valueOfBfloat16(half: number): number {
  return valueOfBits(half << 16);
}

/**
 * The bfloat16 number that is nearest to a float32 number as real numbers, and of two the even one. Infinity counts as
 * 2 ** 128. A NaN gives a NaN.
 */
export function nearestBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  float[0] = value;
  const [sign, toZero] = [(word[0]! >>> 31) * 0x8000, (word[0]! >>> 16) & 0x7fff];
  if (toZero === 0x7f80) return sign + toZero;
  const size = (half: number) => (half === 0x7f80 ? 2 ** 128 : valueOfBfloat16(half));
  const [below, above] = [Math.abs(value) - size(toZero), size(toZero + 1) - Math.abs(value)];
  const up = above < below || (above === below && toZero % 2 === 1);
  return sign + toZero + (up ? 1 : 0);
}

/** Float32 numbers as bfloat16, one by one. */
export function bfloat16Of(values: Float32Array): Uint16Array<ArrayBuffer> {
  return new Uint16Array(values.length).map((_, index) => nearestBfloat16(values[index]!));
}

/** bfloat16 numbers as float32, one by one. */
export function floatsOf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(halves.length).map((_, index) => valueOfBfloat16(halves[index]!));
}
