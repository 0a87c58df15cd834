import type { PassCount } from '../methods/passes.js';
import type { BatchNormMoments } from './batch-norm-moments.js';
import { mergeChannels } from './batch-norm-moments.js';
import type { NetworkLayout } from './layout.js';

/**
 * Where moments lie when they are packed into one vector of float64: for each BatchNorm of each pass a block of its count,
 * its means and its sums of squared deviations. So a part of the vector that has whole blocks can be merged alone.
 * @returns where each block begins, and at last where the vector ends
 */
export function momentBlocks({ batchNorms }: NetworkLayout, passes: number): number[] {
  const blocks = [0];
  for (let pass = 0; pass < passes; pass++) {
    for (const { channels } of batchNorms) blocks.push(blocks.at(-1)! + 1 + 2 * channels);
  }
  return blocks;
}

export function packMoments(layout: NetworkLayout, moments: BatchNormMoments): Float64Array<ArrayBuffer> {
  const { passes, counts, mean, squaredDeviations } = moments;
  const packed = new Float64Array(momentBlocks(layout, passes).at(-1)!);
  forEachBlock(layout, passes, (block, layer, begin, end) => {
    packed[block] = counts[layer]!;
    packed.set(mean.subarray(begin, end), block + 1);
    packed.set(squaredDeviations.subarray(begin, end), block + 1 + end - begin);
  });
  return packed;
}

export function unpackMoments(
  layout: NetworkLayout,
  passes: PassCount,
  packed: Float64Array,
): BatchNormMoments {
  const counts = new Float64Array(passes * layout.batchNorms.length);
  const mean = new Float64Array(passes * layout.statisticsCount);
  const squaredDeviations = new Float64Array(passes * layout.statisticsCount);
  forEachBlock(layout, passes, (block, layer, begin, end) => {
    const middle = block + 1 + end - begin;
    counts[layer] = packed[block]!;
    mean.set(packed.subarray(block + 1, middle), begin);
    squaredDeviations.set(packed.subarray(middle, middle + end - begin), begin);
  });
  return { passes, counts, mean, squaredDeviations };
}

/**
 * `mergeMoments` of whole blocks.
 * @param left changed in place
 * @param blocks where each block begins in these vectors, and where they end
 */
export function mergePacked(left: Float64Array, right: Float64Array, blocks: readonly number[]): void {
  for (let place = 0; place + 1 < blocks.length; place++) {
    const [block, end] = [blocks[place]!, blocks[place + 1]!];
    const middle = block + 1 + (end - block - 1) / 2;
    const partsOf = (values: Float64Array) => ({
      count: values[block]!,
      mean: values.subarray(block + 1, middle),
      squaredDeviations: values.subarray(middle, end),
    });
    const into = partsOf(left);
    left[block] = mergeChannels(into, partsOf(right), into);
  }
}

function forEachBlock(
  layout: NetworkLayout,
  passes: number,
  visit: (block: number, layer: number, begin: number, end: number) => void,
): void {
  const blocks = momentBlocks(layout, passes);
  const { batchNorms, statisticsCount } = layout;
  for (let pass = 0; pass < passes; pass++) {
    for (const [index, { offset, channels }] of batchNorms.entries()) {
      const layer = pass * batchNorms.length + index;
      const begin = pass * statisticsCount + offset;
      visit(blocks[layer]!, layer, begin, begin + channels);
    }
  }
}
