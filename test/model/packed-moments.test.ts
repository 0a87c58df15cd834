import { expect, test } from 'vitest';
import type { PassCount } from '../../src/methods/passes.js';
import { type BatchNormMoments, mergeMoments } from '../../src/model/batch-norm-moments.js';
import { describeModel } from '../../src/model/layout.js';
import { mergePacked, momentBlocks, packMoments, unpackMoments } from '../../src/model/packed-moments.js';
import { bytesOf } from '../../src/transport/bytes.js';

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 12, imageSize: 32 });
const { batchNorms, statisticsCount } = layout;

function moments(key: number, passes: PassCount): BatchNormMoments {
  const values = (length: number) =>
    Float64Array.from({ length }, (_, i) => Math.abs(Math.sin(i * 12.9898 + key)));
  return {
    passes,
    counts: values(passes * batchNorms.length).map((value) => 1 + Math.floor(100 * value)),
    mean: values(passes * statisticsCount),
    squaredDeviations: values(passes * statisticsCount),
  };
}

test.each([1, 2, 3] as const)('moments of %i passes are what they were when they are unpacked', (passes) => {
  const packed = packMoments(layout, moments(1, passes));
  expect(packed.length).toBe(momentBlocks(layout, passes).at(-1));
  expect(unpackMoments(layout, passes, packed)).toEqual(moments(1, passes));
});

test.each([2, 3] as const)(
  'parts of packed moments of %i passes merge to the bits of the whole',
  (passes) => {
    const [left, right] = [packMoments(layout, moments(1, passes)), packMoments(layout, moments(2, passes))];
    const blocks = momentBlocks(layout, passes);
    for (const [from, to] of [
      [0, 5],
      [5, blocks.length - 1],
    ] as const) {
      const own = blocks.slice(from, to + 1);
      const part = (values: Float64Array) => values.subarray(own[0], own.at(-1));
      mergePacked(
        part(left),
        part(right),
        own.map((block) => block - own[0]!),
      );
    }
    const expected = packMoments(layout, mergeMoments(layout, moments(1, passes), moments(2, passes)));
    expect(Buffer.compare(bytesOf(left), bytesOf(expected))).toBe(0);
  },
);
