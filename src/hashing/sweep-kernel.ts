import { i32, instantiate, op, type WasmFunction } from '../wasm/module.js';
import { wordsPerCode } from './codes.js';

/** Updates the bits of all codes of a database one after another, in WebAssembly. */
export interface SweepKernel {
  /** Word w of every code `[words][rows]`, updated in place. */
  readonly columns: readonly Int32Array[];
  /** For each row, eight times its entry in Q′ `[rows]`; set once. */
  readonly entryBytes: Int32Array;
  /** Q′ `[bits, entries]`; set once. */
  readonly targets: Float64Array;
  /** Sums of signs for the next bit `[⌈bits / 8⌉, 256]`; set before each call. */
  readonly tables: Float64Array;
  /** Sets bit k of every code to the sign of Q′_k minus the sum of its bytes' table entries; sign(0) = +1. */
  update(bit: number): void;
}

/** Builds the kernel for `rows` codes of `bits` bits whose targets have `entries` entries. */
export function createSweepKernel(rows: number, bits: number, entries: number): SweepKernel {
  const words = wordsPerCode(bits);
  const tableCount = (bits + 7) >>> 3;
  const tables = 0;
  const targets = tables + tableCount * 256 * 8;
  const entryBytes = targets + bits * entries * 8;
  const columns = Array.from({ length: words }, (_, word) => entryBytes + rows * 4 * (word + 1));
  const kernel = update({ rows, tableCount, tables, targets, entryBytes, columns });
  const { memory, call } = instantiate([kernel], entryBytes + rows * 4 * (words + 1));
  return {
    columns: columns.map((address) => new Int32Array(memory, address, rows)),
    entryBytes: new Int32Array(memory, entryBytes, rows),
    targets: new Float64Array(memory, targets, bits * entries),
    tables: new Float64Array(memory, tables, tableCount * 256),
    update(bit) {
      const shift = bit & 31;
      call.update!(bit * entries * 8, columns[bit >>> 5]!, shift, ~(1 << shift));
    },
  };
}

/**
 * The comparison's result is shifted into place without a branch: half of the signs of a random start change, which a
 * branch predictor cannot predict.
 */
function update(layout: {
  rows: number;
  tableCount: number;
  tables: number;
  targets: number;
  entryBytes: number;
  columns: readonly number[];
}): WasmFunction {
  const { rows, tableCount, tables, targets, entryBytes, columns } = layout;
  const [targetBytes, ownColumn, shift, others, row, place, firstWord] = [0, 1, 2, 3, 4, 5, 6];
  const lookUp = (table: number) => {
    const shiftToBytes = 8 * (table & 3) - 3;
    return [
      op.get(firstWord + (table >>> 2)),
      ...(shiftToBytes < 0
        ? [op.constant(-shiftToBytes), op.shiftLeft]
        : [op.constant(shiftToBytes), op.shiftRight]),
      op.constant(255 * 8),
      op.and,
      op.loadDouble(tables + table * 256 * 8),
      ...(table > 0 ? [op.addDouble] : []),
    ];
  };
  return {
    name: 'update',
    parameters: [i32, i32, i32, i32],
    locals: [i32, i32, ...columns.map(() => i32)],
    body: [
      op.loop,
      ...columns.flatMap((address, word) => [op.get(row), op.load32(address), op.set(firstWord + word)]),
      // place of the new word, kept for the store
      ...[op.get(row), op.get(ownColumn), op.add, op.tee(place)],
      ...[op.get(place), op.load32(0), op.get(others), op.and],
      // Q′ minus the sum over the code's bytes
      ...[op.get(row), op.load32(entryBytes), op.get(targetBytes), op.add, op.loadDouble(targets)],
      ...Array.from({ length: tableCount }, (_, table) => lookUp(table)).flat(),
      ...[op.subtractDouble, op.zeroDouble, op.notLessDouble],
      ...[op.get(shift), op.shiftLeft, op.or, op.store32(0)],
      ...[op.get(row), op.constant(4), op.add, op.tee(row)],
      ...[op.constant(4 * rows), op.lessUnsigned, op.branchIf(0)],
      op.end,
    ],
  };
}
