import { changedBits, isUnset, packCodes, unpackCodes } from './codes.js';
import { checkBits, checkLabels, checkLength, HashingError } from './error.js';
import { similaritySums, summarizeCodes } from './similarity.js';
import { createSweepKernel, type SweepKernel } from './sweep-kernel.js';
import { codeTargets, fillSignTables, gramOfOutputs } from './targets.js';

/** Network outputs of the sampled rows, and their database. */
export interface SampledOutputs {
  /** Database classes `[n]` */
  readonly labels: Int32Array;
  readonly bits: number;
  readonly classCount: number;
  /** Database rows that were sampled `[m]` */
  readonly omega: Int32Array;
  /** Their outputs `[m, bits]` */
  readonly u: Float32Array;
  /** r of the softened similarity matrix. */
  readonly ratio: number;
  /** Weight of the quantisation term. */
  readonly gamma: number;
}

/**
 * The ADSH objective Σᵢⱼ (uᵢ·vⱼ − c Sᵢⱼ)² + γ |V_Ω − U|² of database codes `[n, bits]` (method 16), by class sums.
 */
export function adshObjective(input: SampledOutputs & { codes: Int8Array }): number {
  const { codes, labels, bits, omega, u, gamma } = input;
  checkOmega(omega, labels.length);
  const ownCodes = new Int8Array(omega.length * bits);
  const ownLabels = new Int32Array(omega.length);
  for (let i = 0; i < omega.length; i++) {
    const row = omega[i]!;
    ownLabels[i] = labels[row]!;
    ownCodes.set(codes.subarray(row * bits, (row + 1) * bits), i * bits);
  }
  const sums = similaritySums(summarizeCodes(input), { u, labels: ownLabels, ownCodes, gamma });
  return sums.similarity + sums.quantisation;
}

/**
 * One sweep of the bit-wise ADSH update of the database codes (method 17). For k = 0..bits-1 in order, with the columns
 * updated so far: V_k = sign(Q′_k − V_rest U_restᵀU_k), Q′ = c SᵀU plus γU on the sampled rows, sign(0) = +1. No bit's
 * update increases the objective. Q′ is the same for all unsampled rows of a class. V_rest U_restᵀU_k is a sum over a
 * row's signs. It is looked up eight bits at a time in tables made for each k, so one bit of a row costs bits / 8
 * additions. From V = 0, columns that are not updated yet contribute nothing.
 * @param input.codes codes before the sweep `[n, bits]`, ±1 or all 0, not changed
 * @param input.onBit called after each bit with the codes so far `[n, bits]`
 * @returns the new codes `[n, bits]` and the number of bits that differ from the old ones, all of them from V = 0
 * @throws HashingError `HASHING_SHAPE`, `HASHING_BITS`, `HASHING_EMPTY`, `HASHING_LABEL`, `HASHING_ROW`, or
 * `HASHING_NOT_FINITE` when an output is not a finite number
 */
export function updateDatabaseCodes(
  input: SampledOutputs & { codes: Int8Array; onBit?: (bit: number, codes: Int8Array) => void },
): { codes: Int8Array; flippedBits: number } {
  const { codes, labels, bits, omega, u, onBit } = input;
  const rows = labels.length;
  checkBits(bits);
  if (rows === 0) throw new HashingError('HASHING_EMPTY', 'the database has 0 rows, expected at least one');
  checkLabels(labels, input.classCount);
  checkOmega(omega, rows);
  checkLength('a matrix of database codes', codes.length, rows * bits);
  checkLength('a matrix of outputs', u.length, omega.length * bits);
  const gram = gramOfOutputs(u, bits);
  checkFinite(u, gram, bits);
  const { targets, entries, entryOfRow } = codeTargets(input);
  const kernel = createSweepKernel(rows, bits, entries);
  kernel.targets.set(targets);
  for (let row = 0; row < rows; row++) kernel.entryBytes[row] = 8 * entryOfRow[row]!;
  const before = packCodes(codes, bits);
  const words = kernel.columns.length;
  kernel.columns.forEach((column, word) => {
    for (let row = 0; row < rows; row++) column[row] = before[row * words + word]!;
  });
  const wasUnset = isUnset(codes);
  for (let bit = 0; bit < bits; bit++) {
    fillSignTables(kernel.tables, wasUnset ? withoutColumnsFrom(bit, gram, bits) : gram, bits, bit);
    kernel.update(bit);
    if (!onBit) continue;
    const soFar = unpackCodes(packedCodes(kernel), rows, bits);
    onBit(bit, wasUnset ? withoutColumnsFrom(bit + 1, soFar, bits) : soFar);
  }
  const after = unpackCodes(packedCodes(kernel), rows, bits);
  return { codes: after, flippedBits: changedBits(codes, after) };
}

/** A copy of a matrix `[rows, bits]` with 0 in the columns from one on. */
function withoutColumnsFrom<Values extends Float64Array | Int8Array>(
  first: number,
  matrix: Values,
  bits: number,
): Values {
  return matrix.map((value, i) => (i % bits >= first ? 0 : value)) as Values;
}

function packedCodes({ columns }: SweepKernel): Uint32Array {
  const packed = new Uint32Array(columns.length * columns[0]!.length);
  columns.forEach((column, word) => {
    for (let row = 0; row < column.length; row++) packed[row * columns.length + word] = column[row]!;
  });
  return packed;
}

/** A NaN output makes the diagonal of UᵀU NaN. Only then are the outputs searched. */
function checkFinite(u: Float32Array, gram: Float64Array, bits: number): void {
  for (let k = 0; k < bits; k++) {
    if (Number.isFinite(gram[k * bits + k]!)) continue;
    const i = u.findIndex((value) => !Number.isFinite(value));
    throw new HashingError('HASHING_NOT_FINITE', `output ${i} is ${u[i]!}, expected a finite number`);
  }
}

function checkOmega(omega: Int32Array, rows: number): void {
  for (const row of omega) {
    if (row < 0 || row >= rows) {
      throw new HashingError('HASHING_ROW', `sampled row ${row} is not in a database of ${rows} rows`);
    }
  }
}
