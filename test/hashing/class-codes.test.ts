import { expect, test } from 'vitest';
import { separateCodes } from '../../src/hashing/class-codes.js';
import { ints } from '../golden/support.js';

const random = (name: string, classes: number, bits: number) =>
  Int8Array.from(ints(name, classes * bits, 2), (bit) => 2 * bit - 1);

/** Σ over the pairs of classes of (b_y·b_z + bits / (classes − 1))², as it is defined. */
function objective(codes: Int8Array, bits: number): number {
  const classes = codes.length / bits;
  let sum = 0;
  for (let y = 0; y < classes; y++) {
    for (let z = 0; z < classes; z++) {
      if (z === y) continue;
      let product = bits / (classes - 1);
      for (let k = 0; k < bits; k++) product += codes[y * bits + k]! * codes[z * bits + k]!;
      sum += product ** 2;
    }
  }
  return sum;
}

test.each([
  [5, 8],
  [20, 24],
  [40, 12],
])(
  '%i classes of %i bits end where no change of a single bit makes the objective smaller',
  (classes, bits) => {
    const start = random(`start ${classes}`, classes, bits);
    const codes = separateCodes(start, bits);
    const reached = objective(codes, bits);
    expect(reached).toBeLessThan(objective(start, bits));
    codes.forEach((bit, i) => {
      const other = codes.with(i, -bit);
      expect(objective(other, bits)).toBeGreaterThan(reached - 1e-6);
    });
  },
);

test('classes that begin with one code get different codes', () => {
  const codes = separateCodes(new Int8Array(10 * 16).fill(1), 16);
  const rows = Array.from({ length: 10 }, (_, y) => codes.subarray(y * 16, (y + 1) * 16).join());
  expect(new Set(rows).size).toBe(10);
});

test('one class keeps its code, and the start is not changed', () => {
  const one = random('one', 1, 12);
  expect(separateCodes(one, 12)).toEqual(one);
  const start = random('kept', 6, 8);
  separateCodes(start, 8);
  expect(start).toEqual(random('kept', 6, 8));
});

test('codes of no whole number of classes are refused', () => {
  expect(() => separateCodes(new Int8Array(10).fill(1), 4)).toThrow(
    expect.objectContaining({ code: 'HASHING_SHAPE' }),
  );
});
