import { storeBfloat16 } from '../wasm/bfloat16.js';
import { FloatBlocks } from '../wasm/float-blocks.js';

const [values, result] = [0, 1] as const;
const blocks = new FloatBlocks(2, [
  {
    name: 'narrow',
    scalars: 0,
    body: (operands) => storeBfloat16(operands, result, operands.load(values)),
  },
]);

/**
 * Rounds float32 numbers to bfloat16: to nearest, ties to even. What lies beyond the largest number becomes an infinity,
 * a NaN stays one.
 * @param into as long as `from`
 */
export function narrow(from: Float32Array, into: Uint16Array): void {
  blocks.run('narrow', [from, into], [result], []);
}
