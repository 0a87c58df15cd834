/** Codes of the database as columns of 32-bit words: word w of every row in `words[w]` `[n]`. */
export type CodeColumns = readonly Int32Array[];

/** Splits packed codes `[n, words]` into one array per word. */
export function splitWords(packed: Uint32Array, wordCount: number): CodeColumns {
  const rows = packed.length / wordCount;
  return Array.from({ length: wordCount }, (_, word) => {
    const column = new Int32Array(rows);
    for (let row = 0; row < rows; row++) column[row] = packed[row * wordCount + word]!;
    return column;
  });
}

/** Inverse of `splitWords`. */
export function joinWords(columns: CodeColumns): Uint32Array {
  const rows = columns[0]!.length;
  const packed = new Uint32Array(rows * columns.length);
  columns.forEach((column, word) => {
    for (let row = 0; row < rows; row++) packed[row * columns.length + word] = column[row]!;
  });
  return packed;
}

/** Rows that stay in the first-level cache while the Gram matrix is summed over them. */
const GRAM_BLOCK = 64;

/**
 * UᵀU `[bits, bits]` of outputs `[m, bits]` in float64. The sum runs over the rows in order whatever the tiling, so the
 * result is that of the plain double loop.
 */
export function gramOfOutputs(u: Float32Array, bits: number): Float64Array {
  const rows = u.length / bits;
  const width = (bits + 1) & ~1;
  const gram = new Float64Array(width * width);
  const block = new Float64Array(GRAM_BLOCK * width);
  for (let start = 0; start < rows; start += GRAM_BLOCK) {
    const count = Math.min(GRAM_BLOCK, rows - start);
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

/** Adds a block's products to the 2 × 2 tile at (k, l): four sums share four loads. */
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
 * Q′ = c SᵀU, plus γU on the sampled rows, without repetition: one entry per class for rows that were not sampled, then
 * one per sampled row.
 *
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
  // A row that was sampled twice keeps its first entry and receives both outputs.
  const source = new Int32Array(omega.length);
  const entry = new Int32Array(omega.length);
  for (let i = 0; i < omega.length; i++) {
    source[i] = entryOfRow[omega[i]!]!;
    entry[i] = source[i]! < classCount ? classCount + i : source[i]!;
    entryOfRow[omega[i]!] = entry[i]!;
  }
  for (let k = 0; k < bits; k++) {
    const base = k * entries;
    for (let y = 0; y < classCount; y++) {
      targets[base + y] = bits * ((1 + ratio) * classSums[y * bits + k]! - ratio * total[k]!);
    }
    for (let i = 0; i < omega.length; i++) {
      targets[base + entry[i]!] = targets[base + source[i]!]! + gamma * u[i * bits + k]!;
    }
  }
  return { targets, entries, entryOfRow };
}

/**
 * Tables of U_restᵀU_k times the signs of eight bits, `[4 per word, 256]`: the sum over all tables of the entries chosen
 * by a code's bytes is V_rest U_restᵀU_k. Bit k itself and unused bits contribute nothing.
 */
export function signTables(gram: Float64Array, bits: number, bit: number, wordCount: number): Float64Array {
  const tables = new Float64Array(wordCount * 4 * 256);
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
  return tables;
}

/** Where a float64's sign is among its two 32-bit halves. */
const SIGN_HALF = new Int32Array(Float64Array.of(-1).buffer)[1] === 0 ? 0 : 1;

/**
 * Sets one bit of every row to the sign of its argument.
 *
 * @param target Q′_k by entry
 * @param scratch room for one number per row
 * @returns how many rows changed
 */
export function updateBit(
  columns: CodeColumns,
  bit: number,
  target: Float64Array,
  entryOfRow: Int32Array,
  tables: Float64Array,
  scratch: Float64Array,
): number {
  const [low, high] = columns;
  if (high === undefined) signArguments(scratch, low!, target, entryOfRow, tables);
  else longSignArguments(scratch, low!, high, target, entryOfRow, tables);

  // Half of a random start's signs change, which a branch predictor cannot know: the sign is read as a bit instead.
  const halves = new Int32Array(scratch.buffer);
  const column = columns[bit >>> 5]!;
  const shift = bit & 31;
  const others = ~(1 << shift);
  let flipped = 0;
  for (let row = 0; row < column.length; row++) {
    const before = column[row]!;
    const after = (before & others) | (((halves[2 * row + SIGN_HALF]! >>> 31) ^ 1) << shift);
    column[row] = after;
    flipped += ((before ^ after) >>> shift) & 1;
  }
  return flipped;
}

/** Arguments of sign for codes of one word; adding 0 turns −0 into +0. */
function signArguments(
  result: Float64Array,
  column: Int32Array,
  target: Float64Array,
  entryOfRow: Int32Array,
  t: Float64Array,
): void {
  for (let row = 0; row < column.length; row++) {
    const a = column[row]!;
    const sum =
      t[a & 255]! + t[256 + ((a >>> 8) & 255)]! + (t[512 + ((a >>> 16) & 255)]! + t[768 + (a >>> 24)]!);
    result[row] = target[entryOfRow[row]!]! - sum + 0;
  }
}

/** The same for codes of two words. */
function longSignArguments(
  result: Float64Array,
  low: Int32Array,
  high: Int32Array,
  target: Float64Array,
  entryOfRow: Int32Array,
  t: Float64Array,
): void {
  for (let row = 0; row < low.length; row++) {
    const a = low[row]!;
    const b = high[row]!;
    const first =
      t[a & 255]! + t[256 + ((a >>> 8) & 255)]! + (t[512 + ((a >>> 16) & 255)]! + t[768 + (a >>> 24)]!);
    const second =
      t[1024 + (b & 255)]! +
      t[1280 + ((b >>> 8) & 255)]! +
      (t[1536 + ((b >>> 16) & 255)]! + t[1792 + (b >>> 24)]!);
    result[row] = target[entryOfRow[row]!]! - first - second + 0;
  }
}
