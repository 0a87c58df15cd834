import { FloatBlocks } from '../wasm/float-blocks.js';
import { op } from '../wasm/module.js';

const blocks = new FloatBlocks(2, [
  {
    name: 'add',
    scalars: 0,
    body: ({ load, store }) => store(0, [...load(0), ...load(1), op.addFloats]),
  },
  {
    // Zero times a finite number is 0; zero times any other number is NaN, and the sum stays NaN.
    name: 'addZeroTimes',
    scalars: 1,
    body: ({ load, store, scalar }) =>
      store(1, [...load(1), ...load(0), ...scalar(0), op.multiplyFloats, op.addFloats]),
  },
]);

/** left = fround(left + right), element by element. Both have the same length. */
export function addInto(left: Float32Array, right: Float32Array): void {
  blocks.run('add', [left, right], [0], []);
}

/** Whether no value is a NaN or an infinity. */
export function isFiniteVector(values: Float32Array): boolean {
  // Of a short vector only its own lanes: a whole block takes longer to look through than to compute.
  const sums = blocks.blocks[1]!.subarray(0, values.length);
  sums.fill(0);
  blocks.run('addZeroTimes', [values], [], [0]);
  return sums.every((sum) => sum === 0);
}
