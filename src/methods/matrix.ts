import { MethodError } from './error.js';

/** A dense row-major matrix in float64. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** `[rows, columns]` */
  readonly data: Float64Array<ArrayBuffer>;
}

/**
 * Products with a fixed order of additions, four at a time. They use only additions and multiplications of float64, so
 * every machine gives the same bits. The library's own products take several times as long on large matrices.
 */

/** Rows of a left factor, and of a tile of aᵀb, whose results stay in the processor's cache. */
const tileRows = 128;
const tileColumns = 256;

export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

export function transposed({ rows, columns, data }: Matrix): Matrix {
  const result = zeros(columns, rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result.data[j * rows + i] = data[i * columns + j]!;
  }
  return result;
}

/** a·b */
export function times(a: Matrix, b: Matrix): Matrix {
  checkInner(a.columns, b.rows);
  const result = zeros(a.rows, b.columns);
  const { columns } = b;
  for (let first = 0; first < a.rows; first += tileRows) {
    const last = Math.min(a.rows, first + tileRows);
    for (let k = 0; k < b.rows; k += 4) {
      const depth = Math.min(4, b.rows - k);
      for (let i = first; i < last; i++) {
        const at = i * a.columns + k;
        addRows(result.data, i * columns, a.data, at, 1, b.data, k * columns, columns, depth, 0, columns);
      }
    }
  }
  return result;
}

/** aᵀ·b */
export function transposedTimes(a: Matrix, b: Matrix): Matrix {
  checkInner(a.rows, b.rows);
  const result = zeros(a.columns, b.columns);
  addTiles(result, a, b, () => true);
  return result;
}

/** aᵀ·a, of which half is computed */
export function gram(a: Matrix): Matrix {
  const result = zeros(a.columns, a.columns);
  addUpperGram(result, a);
  mirror(result);
  return result;
}

/** sum + aᵀ·a in place, the part on and above the diagonal; `sum` is `[a.columns, a.columns]`. */
export function addUpperGram(sum: Matrix, a: Matrix): void {
  addTiles(sum, a, a, (top, right) => right > top);
}

/** Copies what is above the diagonal below it, in place. */
export function mirror({ rows, columns, data }: Matrix): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < i; j++) data[i * columns + j] = data[j * columns + i]!;
  }
}

/** into + aᵀ·b in place, in those tiles that are wanted by their first row and the column behind their last. */
function addTiles(
  into: Matrix,
  a: Matrix,
  b: Matrix,
  isWanted: (top: number, right: number) => boolean,
): void {
  for (let top = 0; top < a.columns; top += tileRows) {
    const bottom = Math.min(a.columns, top + tileRows);
    for (let left = 0; left < b.columns; left += tileColumns) {
      const right = Math.min(b.columns, left + tileColumns);
      if (!isWanted(top, right)) continue;
      for (let k = 0; k < a.rows; k += 4) {
        const depth = Math.min(4, a.rows - k);
        for (let i = top; i < bottom; i++) {
          const at = k * a.columns + i;
          const target = i * into.columns;
          addRows(
            into.data,
            target,
            a.data,
            at,
            a.columns,
            b.data,
            k * b.columns,
            b.columns,
            depth,
            left,
            right,
          );
        }
      }
    }
  }
}

/**
 * Adds up to four rows of b, each times a factor, to one row of the target: columns from `left` to `right`. The factors
 * are `stride` apart. A factor beyond `depth` is 0, and its row is the first one again.
 */
function addRows(
  target: Float64Array,
  at: number,
  factors: Float64Array,
  factorAt: number,
  stride: number,
  b: Float64Array,
  rowAt: number,
  columns: number,
  depth: number,
  left: number,
  right: number,
): void {
  const f0 = factors[factorAt]!;
  const f1 = depth > 1 ? factors[factorAt + stride]! : 0;
  const f2 = depth > 2 ? factors[factorAt + 2 * stride]! : 0;
  const f3 = depth > 3 ? factors[factorAt + 3 * stride]! : 0;
  const row1 = depth > 1 ? rowAt + columns : rowAt;
  const row2 = depth > 2 ? rowAt + 2 * columns : rowAt;
  const row3 = depth > 3 ? rowAt + 3 * columns : rowAt;
  for (let j = left; j < right; j++) {
    target[at + j]! += f0 * b[rowAt + j]! + f1 * b[row1 + j]! + f2 * b[row2 + j]! + f3 * b[row3 + j]!;
  }
}

function checkInner(left: number, right: number): void {
  if (left !== right) {
    throw new MethodError('METHOD_SHAPE', `a product joins ${left} and ${right} elements, expected as many`);
  }
}
