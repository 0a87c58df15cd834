import { describe, expect, it } from 'vitest';
import { attentionMap, channelMean, upsampleBilinear } from '../../src/model/attention.js';
import { erasingMask, hottestPixels } from '../../src/model/erasing.js';
import { toChannelsLast } from './networks.js';
import { readGolden, relativeError, values } from './support.js';

interface MaskCase {
  attention: number[][];
  k: number;
  s: number;
  hot: string[];
  mask: string[];
}

interface AttentionCase {
  prefix: string;
  C: number;
  h: number;
  w: number;
  H: number;
  W: number;
  mean: number[][];
  upsampled: number[][];
  attention: number[][];
  k: number;
  s: number;
  mask: string[];
}

const golden = readGolden<{ masks: MaskCase[]; attention: AttentionCase[] }>('srem');

describe('SREM masks', () => {
  it.each(golden.masks.map((given, index) => ({ index, given })))('case $index', ({ given }) => {
    const size = { height: given.attention.length, width: given.attention[0]!.length };
    const attention = Float64Array.from(given.attention.flat());
    const hot = new Uint8Array(attention.length);
    for (const pixel of hottestPixels(attention, given.k)) hot[pixel] = 1;
    expect(rowsOf(hot, size.width)).toEqual(given.hot);
    const mask = erasingMask(attention, size, { regions: given.k, size: given.s });
    expect(rowsOf(mask, size.width)).toEqual(given.mask);
  });
});

describe('attention maps', () => {
  it.each(golden.attention)('$prefix', (given) => {
    const { C, h, w, H, W } = given;
    const map = { height: h, width: w };
    const image = { height: H, width: W };
    const channelsFirst = values(`${given.prefix}/F`, [C, h, w], 1).map((value) => Math.max(0, value));
    const features = toChannelsLast(channelsFirst, [1, C, h, w]);
    const mean = channelMean(features, map, C);
    expect(relativeError(mean, given.mean.flat())).toBeLessThan(1e-5);
    expect(relativeError(upsampleBilinear(mean, map, image), given.upsampled.flat())).toBeLessThan(1e-5);
    const attention = attentionMap(features, map, C, image);
    expect(relativeError(attention, given.attention.flat())).toBeLessThan(1e-5);
    const mask = erasingMask(attention, image, { regions: given.k, size: given.s });
    expect(rowsOf(mask, W)).toEqual(given.mask);
  });
});

function rowsOf(values: Uint8Array, width: number): string[] {
  return Array.from({ length: values.length / width }, (_, row) =>
    values.subarray(row * width, (row + 1) * width).join(''),
  );
}
