/** Rows that stay in the first-level cache while the Gram matrix is summed over them. */
const gramBlock = 64;

/**
 * UᵀU `[bits, bits]` of outputs `[m, bits]` in float64. The sum runs over the rows in order, whatever the tiling, so
 * the result equals that of the plain double loop.
 */
export function gramOfOutputs(u: Float32Array, bits: number): Float64Array {
  const rows = u.length / bits;
  const width = (bits + 1) & ~1;
  const gram = new Float64Array(width * width);
  const block = new Float64Array(gramBlock * width);
  for (let start = 0; start < rows; start += gramBlock) {
    const count = Math.min(gramBlock, rows - start);
    for (let row = 0; row < count; row++) {
      for (let k = 0; k < bits; k++) block[row * width + k] = u[(start + row) * bits + k]!;
    }
    for (let k = 0; k < width; k += 2) {
      for (let l = 0; l <= k; l += 2) addTile(gram, block, width, count, k, l);
    }
  }
  const result = new Float64Array(bits * bits);
  for (let k = 0; k < bits; k++) {
    for (let l = 0; l < bits; l++) result[k * bits + l] = gram[Math.max(k, l) * width + Math.min(k, l)]!;
  }
  return result;
}

/** Adds a block's products to the 2 × 2 tile at (k, l). Four sums share four loads. */
function addTile(
  gram: Float64Array,
  block: Float64Array,
  width: number,
  count: number,
  k: number,
  l: number,
): void {
  const upper = k * width + l;
  const lower = upper + width;
  let s00 = gram[upper]!;
  let s01 = gram[upper + 1]!;
  let s10 = gram[lower]!;
  let s11 = gram[lower + 1]!;
  for (let row = 0, base = 0; row < count; row++, base += width) {
    const a0 = block[base + k]!;
    const a1 = block[base + k + 1]!;
    const b0 = block[base + l]!;
    const b1 = block[base + l + 1]!;
    s00 += a0 * b0;
    s01 += a0 * b1;
    s10 += a1 * b0;
    s11 += a1 * b1;
  }
  gram[upper] = s00;
  gram[upper + 1] = s01;
  gram[lower] = s10;
  gram[lower + 1] = s11;
}

/**
 * Q′ = c SᵀU, plus γU on the sampled rows, without repetition: one entry per class for unsampled rows, then one entry
 * per sampled row.
 * @returns `targets` `[bits, entries]` and the entry of every database row `[n]`
 */
export function codeTargets(input: {
  labels: Int32Array;
  bits: number;
  classCount: number;
  omega: Int32Array;
  u: Float32Array;
  ratio: number;
  gamma: number;
}): { targets: Float64Array; entries: number; entryOfRow: Int32Array } {
  const { labels, bits, classCount, omega, u, ratio, gamma } = input;
  const classSums = new Float64Array(classCount * bits);
  const total = new Float64Array(bits);
  for (let i = 0; i < omega.length; i++) {
    const base = labels[omega[i]!]! * bits;
    for (let k = 0; k < bits; k++) {
      const value = u[i * bits + k]!;
      classSums[base + k]! += value;
      total[k]! += value;
    }
  }
  const entries = classCount + omega.length;
  const targets = new Float64Array(bits * entries);
  const entryOfRow = labels.slice();
  // An entry adds a row's output to what the row had before: its class's entry, or its earlier one if it was sampled
  // twice.
  const source = new Int32Array(omega.length);
  for (let i = 0; i < omega.length; i++) {
    source[i] = entryOfRow[omega[i]!]!;
    entryOfRow[omega[i]!] = classCount + i;
  }
  for (let k = 0; k < bits; k++) {
    const base = k * entries;
    for (let y = 0; y < classCount; y++) {
      targets[base + y] = bits * ((1 + ratio) * classSums[y * bits + k]! - ratio * total[k]!);
    }
    for (let i = 0; i < omega.length; i++) {
      targets[base + classCount + i] = targets[base + source[i]!]! + gamma * u[i * bits + k]!;
    }
  }
  return { targets, entries, entryOfRow };
}

/**
 * Writes tables of U_restᵀU_k times the signs of eight bits, `[⌈bits / 8⌉, 256]`. The sum over all tables of the
 * entries selected by a code's bytes is V_rest U_restᵀU_k. Bit k itself and unused bits contribute 0.
 */
export function fillSignTables(tables: Float64Array, gram: Float64Array, bits: number, bit: number): void {
  for (let start = 0; start < bits; start += 8) {
    const base = start * 32;
    const weights = Float64Array.from({ length: 8 }, (_, offset) => {
      const other = start + offset;
      return other < bits && other !== bit ? gram[bit * bits + other]! : 0;
    });
    tables[base] = -weights.reduce((sum, weight) => sum + weight, 0);
    for (let offset = 0; offset < 8; offset++) {
      const half = 1 << offset;
      for (let value = 0; value < half; value++) {
        tables[base + half + value] = tables[base + value]! + 2 * weights[offset]!;
      }
    }
  }
}
