import type { NetworkLayout } from '../../model/layout.js';
import { momentBlocks } from '../../model/packed-moments.js';
import type { WirePrecision } from '../../run/training-run.js';
import { wireBytes } from '../../transport/wire-vector.js';

/**
 * Where the blocks of moments begin in the vector that is added in ranges, and where it ends, in elements of the gradient.
 * The gradient comes first, then the moments, packed.
 * @param passes as of `momentPasses`
 */
export function exchangedBlocks(layout: NetworkLayout, passes: number, precision: WirePrecision): number[] {
  const words = Float64Array.BYTES_PER_ELEMENT / wireBytes(precision, 1);
  return momentBlocks(layout, passes).map((block) => layout.parameterCount + block * words);
}
