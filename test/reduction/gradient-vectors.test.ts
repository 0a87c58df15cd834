import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addInto, isFiniteVector } from '../../src/reduction/gradient-vectors.js';
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
    }
  },
);
