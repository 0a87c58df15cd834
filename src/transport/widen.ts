import { loadBfloat16 } from '../wasm/bfloat16.js';
import { FloatBlocks } from '../wasm/float-blocks.js';

const [values, result] = [0, 1] as const;
const blocks = new FloatBlocks(2, [
  {
    name: 'widen',
    scalars: 0,
    body: (operands) => operands.store(result, loadBfloat16(operands, values)),
  },
]);

/**
 * Converts bfloat16 numbers to float32, which represents each of them exactly.
 * @param into as long as `from`
 */
export function widen(from: Uint16Array, into: Float32Array): void {
  blocks.run('widen', [from, into], [result], []);
}
