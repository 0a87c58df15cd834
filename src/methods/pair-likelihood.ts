/** log(1 + eˣ), without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** 1 / (1 + e⁻ˣ), without overflow. */
export function sigmoid(x: number): number {
  const small = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : small) / (1 + small);
}

/** The inner product of a row of one matrix and a row of another, both `[rows, bits]`. */
export function product(
  left: Float32Array | Float64Array,
  row: number,
  right: Float32Array | Float64Array,
  other: number,
  bits: number,
): number {
  let sum = 0;
  for (let k = 0; k < bits; k++) sum += left[row * bits + k]! * right[other * bits + k]!;
  return sum;
}
