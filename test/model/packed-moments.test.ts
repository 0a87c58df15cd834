import { expect, test } from 'vitest';
import { type BatchNormMoments, mergeMoments } from '../../src/model/batch-norm-moments.js';
import { describeModel } from '../../src/model/layout.js';
import { mergePacked, momentBlocks, packMoments, unpackMoments } from '../../src/model/packed-moments.js';
import { bytesOf } from '../../src/transport/bytes.js';

const layout = describeModel({ backbone: 'mobilenet_v1', width: 0.25, bits: 12, imageSize: 32 });
const { batchNorms, statisticsCount } = layout;
const passes = 2;

function moments(key: number): BatchNormMoments {
  const values = (length: number) =>
    Float64Array.from({ length }, (_, i) => Math.abs(Math.sin(i * 12.9898 + key)));
  return {
    passes,
    counts: values(passes * batchNorms.length).map((value) => 1 + Math.floor(100 * value)),
    mean: values(passes * statisticsCount),
    squaredDeviations: values(passes * statisticsCount),
  };
}

test('moments are what they were when they are unpacked', () => {
  const packed = packMoments(layout, moments(1));
  expect(packed.length).toBe(momentBlocks(layout, passes).at(-1));
  expect(unpackMoments(layout, passes, packed)).toEqual(moments(1));
});

test('parts of packed moments merge to the bits of the whole', () => {
  const [left, right] = [packMoments(layout, moments(1)), packMoments(layout, moments(2))];
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
  const expected = packMoments(layout, mergeMoments(layout, moments(1), moments(2)));
  expect(Buffer.compare(bytesOf(left), bytesOf(expected))).toBe(0);
});
