/** Types of a weight file's numbers that are read, by their name in safetensors files. */
export type FloatType = 'F32' | 'F16' | 'BF16';

/**
 * The float32 values that narrower numbers stand for: float32 holds every one of them exactly.
 *
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

/** Of one sign bit, five bits of exponent and ten of fraction. */
function valueOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
