import { formatOf, type WireVector } from '../transport/wire-vector.js';
import { loadBfloat16, storeBfloat16 } from '../wasm/bfloat16.js';
import { type BlockOperands, type Code, FloatBlocks } from '../wasm/float-blocks.js';
import { op } from '../wasm/module.js';

/** left = left + right */
function sum(load: (vector: number) => Code): Code {
  return [...load(0), ...load(1), op.addFloats];
}

/**
 * Zero times a finite number is 0; zero times any other number is NaN, and the sum stays NaN. The second vector holds
 * the sums.
 */
function sumOfZeroTimes({ load, store, scalar }: BlockOperands, values: Code): Code {
  return store(1, [...load(1), ...values, ...scalar(0), op.multiplyFloats, op.addFloats]);
}

const blocks = new FloatBlocks(2, [
  { name: 'add float32', scalars: 0, body: ({ load, store }) => store(0, sum(load)) },
  {
    name: 'add bfloat16',
    scalars: 0,
    body: (operands) =>
      storeBfloat16(
        operands,
        0,
        sum((vector) => loadBfloat16(operands, vector)),
      ),
  },
  { name: 'check float32', scalars: 1, body: (operands) => sumOfZeroTimes(operands, operands.load(0)) },
  {
    name: 'check bfloat16',
    scalars: 1,
    body: (operands) => sumOfZeroTimes(operands, loadBfloat16(operands, 0)),
  },
]);

/**
 * left = left + right, element by element: rounded to float32, and for bfloat16 numbers from there to bfloat16. Both
 * have the same length and format.
 */
export function addInto(left: WireVector, right: WireVector): void {
  blocks.run(`add ${formatOf(left)}`, [left, right], [0], []);
}

/** Whether no value is a NaN or an infinity. */
export function isFiniteVector(values: WireVector): boolean {
  // Of a short vector only its own lanes: a whole block takes longer to look through than to compute.
  const sums = blocks.blocks[1]!.subarray(0, values.length);
  sums.fill(0);
  blocks.run(`check ${formatOf(values)}`, [values], [], [0]);
  return sums.every((sum) => sum === 0);
}
