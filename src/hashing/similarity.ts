import { isUnset, popcount } from './codes.js';
import { checkBits, checkLabels, checkLength, HashingError } from './error.js';

/**
 * r = N₊ / N₋ over the block of sampled rows × database columns (method 1.8). Pairs of one class have similarity 1 and
 * all others −r, so the block's mean is 0. Rows that occur twice count twice.
 * @param columnClassSizes database items per class `[classCount]`
 * @throws HashingError `HASHING_ONE_CLASS` when no pair is dissimilar and r is undefined
 */
export function softRatio(rowLabels: Int32Array, columnClassSizes: Int32Array): number {
  checkLabels(rowLabels, columnClassSizes.length);
  const columns = columnClassSizes.reduce((sum, size) => sum + size, 0);
  let similar = 0;
  for (const label of rowLabels) similar += columnClassSizes[label]!;
  const dissimilar = rowLabels.length * columns - similar;
  if (dissimilar === 0) {
    throw new HashingError(
      'HASHING_ONE_CLASS',
      `all ${similar} pairs of sampled and database items are of one class, expected at least two classes`,
    );
  }
  return similar / dissimilar;
}

/** Number of items of each class `[classCount]`. */
export function sizesOfClasses(labels: Int32Array, classCount: number): Int32Array {
  const sizes = new Int32Array(classCount);
  for (const label of labels) sizes[label]!++;
  return sizes;
}

/** What the loss needs of the database codes V. Its size does not depend on the database size. */
export interface CodeSummary {
  readonly bits: number;
  readonly databaseSize: number;
  readonly classCount: number;
  /** r of the softened similarity matrix. */
  readonly ratio: number;
  /** VᵀV `[bits, bits]` */
  readonly gram: Float64Array;
  /** Sum of V over each class `[classCount, bits]` */
  readonly classSums: Float64Array;
  /** Sum of all rows of V `[bits]` */
  readonly total: Float64Array;
  /** Items per class `[classCount]` */
  readonly classSizes: Int32Array;
}

/**
 * Summarises database codes `[n, bits]`, ±1 or all 0, with labels `[n]`. Every number is an integer, so the sums are
 * exact in any order.
 */
export function summarizeCodes(input: {
  codes: Int8Array;
  labels: Int32Array;
  bits: number;
  classCount: number;
  ratio: number;
}): CodeSummary {
  const { codes, labels, bits, classCount, ratio } = input;
  checkBits(bits);
  checkLabels(labels, classCount);
  const databaseSize = labels.length;
  checkLength('a matrix of database codes', codes.length, databaseSize * bits);

  const classSums = new Float64Array(classCount * bits);
  for (let row = 0, source = 0; row < databaseSize; row++) {
    const base = labels[row]! * bits;
    for (let k = 0; k < bits; k++) classSums[base + k]! += codes[source++]!;
  }
  const total = new Float64Array(bits);
  for (let i = 0; i < classSums.length; i++) total[i % bits]! += classSums[i]!;
  return {
    bits,
    databaseSize,
    classCount,
    ratio,
    gram: isUnset(codes) ? new Float64Array(bits * bits) : gramOfCodes(codes, bits),
    classSums,
    total,
    classSizes: sizesOfClasses(labels, classCount),
  };
}

/** VᵀV of ±1 columns is n − 2 · (their Hamming distance), counted 32 rows at a time. */
function gramOfCodes(codes: Int8Array, bits: number): Float64Array {
  const rows = codes.length / bits;
  const words = (rows + 31) >>> 5;
  const columns = new Int32Array(bits * words);
  for (let row = 0, source = 0; row < rows; row++) {
    const word = row >>> 5;
    for (let k = 0; k < bits; k++) {
      columns[k * words + word]! |= ((codes[source++]! >>> 31) ^ 1) << (row & 31);
    }
  }
  const gram = new Float64Array(bits * bits);
  for (let k = 0; k < bits; k++) {
    for (let l = 0; l <= k; l++) {
      let distance = 0;
      for (let word = 0; word < words; word++) {
        distance += popcount(columns[k * words + word]! ^ columns[l * words + word]!);
      }
      gram[k * bits + l] = rows - 2 * distance;
      gram[l * bits + k] = rows - 2 * distance;
    }
  }
  return gram;
}

/** Rows of network outputs with their labels and codes. */
export interface HeadRows {
  /** Outputs `[rows, bits]` */
  readonly u: Float32Array;
  /** Classes `[rows]` */
  readonly labels: Int32Array;
  /** The rows' own database codes `[rows, bits]` */
  readonly ownCodes: Int8Array;
  /** Weight of the quantisation term. */
  readonly gamma: number;
}

/** The two terms of the loss and their gradient with respect to u. */
export interface HeadResult {
  readonly similarity: number;
  readonly quantisation: number;
  /** `[rows, bits]` */
  readonly gradient: Float64Array;
}

/**
 * Similarity and quantisation terms of the loss, and their gradient, for some rows of a batch (method 13 and 14): (1 /
 * (batchRows · n)) · [Σᵢⱼ (uᵢ·vⱼ − c Sᵢⱼ)² + γ Σᵢ |vᵢ − uᵢ|²], in float64 and without the matrix S. Terms and gradients
 * of a batch's parts add up to those of the batch.
 * @param input.batchRows rows of the whole batch
 */
export function similarityHead(summary: CodeSummary, input: HeadRows & { batchRows: number }): HeadResult {
  const { similarity, quantisation, gradient } = similaritySums(summary, input);
  const scale = 1 / (input.batchRows * summary.databaseSize);
  for (let i = 0; i < gradient.length; i++) gradient[i]! *= scale;
  return { similarity: similarity * scale, quantisation: quantisation * scale, gradient };
}

/**
 * The same sums before the division. G = VᵀV; C_y and T are the sums of V over class y and over all items; n_y is the
 * class size; s = (1 + r) C_y − r T. A row's similarity sum is uᵀGu − 2c u·s + c² (n_y + (n − n_y) r²).
 */
export function similaritySums(summary: CodeSummary, rows: HeadRows): HeadResult {
  const { bits, gram } = summary;
  const { u, labels, ownCodes, gamma } = rows;
  checkLength('a matrix of outputs', u.length, labels.length * bits);
  checkLength('a matrix of own codes', ownCodes.length, labels.length * bits);
  const { targets, constants } = rowTargets(summary, labels);

  const gradient = new Float64Array(u.length);
  let similarity = 0;
  let quantisation = 0;
  for (let row = 0; row < labels.length; row++) {
    const base = row * bits;
    let quadratic = 0;
    let linear = 0;
    for (let k = 0; k < bits; k++) {
      const uk = u[base + k]!;
      let product = 0;
      for (let l = 0; l < bits; l++) product += gram[k * bits + l]! * u[base + l]!;
      const s = targets[base + k]!;
      const residual = uk - ownCodes[base + k]!;
      quadratic += uk * product;
      linear += uk * s;
      quantisation += residual * residual;
      gradient[base + k] = 2 * (product - bits * s + gamma * residual);
    }
    similarity += quadratic - 2 * bits * linear + constants[row]!;
  }
  return { similarity, quantisation: gamma * quantisation, gradient };
}

/** What the similarity term of some rows depends on besides their outputs and VᵀV. */
export interface RowTargets {
  /** s = (1 + r) C_y − r T of each row `[rows, bits]` */
  readonly targets: Float64Array<ArrayBuffer>;
  /** c² (n_y + (n − n_y) r²) of each row `[rows]` */
  readonly constants: Float64Array<ArrayBuffer>;
}

/** The targets of rows with these classes `[rows]`. */
export function rowTargets(summary: CodeSummary, labels: Int32Array): RowTargets {
  const { bits, databaseSize, classCount, ratio, classSums, total, classSizes } = summary;
  checkLabels(labels, classCount);
  const targets = new Float64Array(labels.length * bits);
  const constants = new Float64Array(labels.length);
  labels.forEach((label, row) => {
    for (let k = 0; k < bits; k++) {
      targets[row * bits + k] = (1 + ratio) * classSums[label * bits + k]! - ratio * total[k]!;
    }
    const size = classSizes[label]!;
    constants[row] = bits * bits * (size + (databaseSize - size) * ratio * ratio);
  });
  return { targets, constants };
}
