/** Supported number types of weight files, by their name in safetensors files. */
export type FloatType = 'F32' | 'F16' | 'BF16';

/**
 * Converts narrow numbers to float32, which represents each of them exactly.
 * @param bits of IEEE 754's binary16, or the upper halves of float32 values (bfloat16)
 */
export function widen(type: 'F16' | 'BF16', bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  bits.forEach((half, index) => {
    if (type === 'BF16') words[index] = half << 16;
    else values[index] = valueOfHalf(half);
  });
  return values;
}

/** One sign bit, five exponent bits and ten fraction bits. */
function valueOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
