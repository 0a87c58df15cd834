import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addInto, isFiniteVector } from '../../src/reduction/gradient-vectors.js';
import { bfloat16Of, nearestBfloat16, valueOfBfloat16 } from '../kit/bfloat16.js';
import { firstDifference, floatVectors } from '../kit/floats.js';

test('a sum has the bits of one float32 addition for each value', () => {
  fc.assert(
    fc.property(floatVectors(2), ([left, right]) => {
      const expected = left!.map((value, index) => Math.fround(value + right![index]!));
      addInto(left!, right!);
      expect(firstDifference(left!, expected)).toBe(-1);
    }),
    { numRuns: 200 },
  );
});

test('a sum of bfloat16 numbers is their float32 sum, rounded to bfloat16', () => {
  fc.assert(
    fc.property(floatVectors(2), (vectors) => {
      const [left, right] = vectors.map(bfloat16Of) as [Uint16Array, Uint16Array];
      const sums = left.map((half, index) =>
        nearestBfloat16(Math.fround(valueOfBfloat16(half) + valueOfBfloat16(right[index]!))),
      );
      addInto(left, right);
      const isNaNHalf = (half: number) => (half & 0x7fff) > 0x7f80;
      const other = left.findIndex(
        (half, index) => half !== sums[index] && !(isNaNHalf(half) && isNaNHalf(sums[index]!)),
      );
      expect(other).toBe(-1);
    }),
    { numRuns: 50 },
  );
});

test('a vector of numbers is finite, whatever was looked at before', () => {
  fc.assert(
    fc.property(floatVectors(1), ([values]) => {
      expect(isFiniteVector(Float32Array.of(Number.NaN))).toBe(false);
      expect(isFiniteVector(values!)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  '%s is found anywhere',
  (wrong) => {
    for (const index of [0, 1, 5, 63, 64, 8191, 8192, 20_000]) {
      const values = new Float32Array(20_001).fill(3e38);
      values[index] = wrong;
      expect(isFiniteVector(values)).toBe(false);
      const halves = new Uint16Array(20_001).fill(0x7f7f);
      expect(isFiniteVector(halves)).toBe(true);
      halves[index] = nearestBfloat16(wrong);
      expect(isFiniteVector(halves)).toBe(false);
    }
  },
);

test('infinities of both signs give a NaN, and a NaN stays one', () => {
  const left = Uint16Array.of(0x7f80, 0xff80, 0x7fc0, 0x7f81, 0x7f80);
  addInto(left, Uint16Array.of(0xff80, 0x7f80, 0x3f80, 0x0000, 0x7f80));
  expect([...left].map(valueOfBfloat16)).toEqual([...Array(4).fill(Number.NaN), Number.POSITIVE_INFINITY]);
});
