import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Size } from '../../src/model/attention.js';
import { type ErasingSettings, eraseImage, erasingMask } from '../../src/model/erasing.js';

/** Algorithm 1 as it is printed: pad, sort, erase square by square, crop. */
function algorithm1(attention: Float64Array, image: Size, { regions, size }: ErasingSettings): Uint8Array {
  const width = image.width + size;
  const order = Array.from(attention, (_value, pixel) => pixel);
  order.sort((a, b) => attention[b]! - attention[a]! || a - b);
  const padded = new Uint8Array((image.height + size) * width).fill(1);
  for (const pixel of order.slice(0, regions)) {
    const top = Math.floor(pixel / image.width);
    const left = pixel % image.width;
    for (let y = top; y < top + size; y++) padded.fill(0, y * width + left, y * width + left + size);
  }
  const mask = new Uint8Array(attention.length);
  for (let y = 0; y < image.height; y++) {
    mask.set(padded.subarray(y * width, y * width + image.width), y * image.width);
  }
  return mask;
}

/** Maps with many ties: few distinct values. */
const problems = fc
  .record({ height: fc.integer({ min: 1, max: 24 }), width: fc.integer({ min: 1, max: 24 }) })
  .chain((image) =>
    fc.record({
      image: fc.constant(image),
      attention: fc
        .array(fc.integer({ min: 0, max: 9 }), {
          minLength: image.height * image.width,
          maxLength: image.height * image.width,
        })
        .map((values) => Float64Array.from(values)),
      erasing: fc.record({ regions: fc.integer({ min: 0, max: 60 }), size: fc.integer({ min: 1, max: 12 }) }),
    }),
  );

describe('SREM', () => {
  it('equals Algorithm 1 as a loop', () => {
    fc.assert(
      fc.property(problems, ({ image, attention, erasing }) => {
        expect(erasingMask(attention, image, erasing)).toEqual(algorithm1(attention, image, erasing));
      }),
    );
  });

  it('erases the same under an affine rescaling of the attention', () => {
    // Powers of two and integers, so that rescaling is exact and ties stay ties.
    const affine = fc.record({
      exponent: fc.integer({ min: -8, max: 8 }),
      shift: fc.integer({ min: -99, max: 99 }),
    });
    fc.assert(
      fc.property(problems, affine, ({ image, attention, erasing }, { exponent, shift }) => {
        const rescaled = attention.map((value) => value * 2 ** exponent + shift);
        expect(erasingMask(rescaled, image, erasing)).toEqual(erasingMask(attention, image, erasing));
      }),
    );
  });

  it('erases one whole square with k = 1, less at the right and bottom border', () => {
    const image = { height: 20, width: 30 };
    const erasedWithHottestAt = (y: number, x: number) => {
      const attention = new Float64Array(600);
      attention[y * 30 + x] = 1;
      return erasingMask(attention, image, { regions: 1, size: 6 }).filter((kept) => kept === 0).length;
    };
    expect(erasedWithHottestAt(0, 0)).toBe(36);
    expect(erasedWithHottestAt(14, 24)).toBe(36);
    expect(erasedWithHottestAt(17, 5)).toBe(18);
    expect(erasedWithHottestAt(19, 29)).toBe(1);
  });

  it('sets erased pixels to 0 in every channel', () => {
    const image = Float32Array.from({ length: 12 }, (_, i) => i + 1);
    const target = new Float32Array(12);
    eraseImage(image, Uint8Array.of(1, 0, 0, 1), target);
    expect([...target]).toEqual([1, 2, 3, 0, 0, 0, 0, 0, 0, 10, 11, 12]);
  });
});
