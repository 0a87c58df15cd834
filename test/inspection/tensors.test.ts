import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TensorDifference, tensorDifferences } from '../../src/inspection/bisect/tensors.js';

type Values = Float32Array | Float64Array | Int8Array;

function differences(first: Values, second: Values): TensorDifference[] {
  return tensorDifferences(new Map([['x', first]]), new Map([['x', second]]));
}

/** The next float32 above a number, in the way of its definition: the smallest that is larger. */
function above(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getInt32(0);
  view.setInt32(0, value >= 0 ? bits + 1 : bits - 1);
  return view.getFloat32(0);
}

describe('a difference between two tensors', () => {
  test('is one ulp from a number to the next', () => {
    const floats = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 });
    fc.assert(
      fc.property(floats, (value) => {
        fc.pre(!Object.is(value, -0));
        const next = above(value);
        const [found] = differences(Float32Array.of(1, value), Float32Array.of(1, next));
        expect(found).toEqual({ tensor: 'x', differing: 1, elements: 2, absolute: next - value, ulp: 1 });
      }),
    );
  });

  test('counts ulp across zero', () => {
    const least = 2 ** -149;
    expect(differences(Float32Array.of(-least), Float32Array.of(least))).toMatchObject([{ ulp: 3 }]);
    expect(differences(Float32Array.of(-0), Float32Array.of(0))).toMatchObject([{ ulp: 1, absolute: 0 }]);
    expect(differences(Float64Array.of(1), Float64Array.of(1 + 2 ** -52))).toMatchObject([{ ulp: 1 }]);
    expect(differences(Int8Array.of(-1, 1), Int8Array.of(1, 1))).toMatchObject([{ ulp: 2, absolute: 2 }]);
  });

  test('is that of the element that differs most', () => {
    expect(differences(Float32Array.of(1, 2, 3), Float32Array.of(1, 2.5, 3.25))).toEqual([
      { tensor: 'x', differing: 2, elements: 3, absolute: 0.5, ulp: 2 ** 21 },
    ]);
  });

  test('has no size where a number is missing', () => {
    const [one, nan, infinite] = [1, Number.NaN, Number.POSITIVE_INFINITY].map((value) =>
      Float32Array.of(value, 2),
    ) as [Float32Array, Float32Array, Float32Array];
    const unknown = { tensor: 'x', differing: 1, elements: 2, absolute: null, ulp: null };
    expect(differences(one, nan)).toEqual([unknown]);
    expect(differences(infinite, one)).toEqual([unknown]);
    expect(differences(nan, nan)).toEqual([]);
  });

  test('is left out where there is none, and the rest stays in order', () => {
    const first = new Map([
      ['a', Float32Array.of(1)],
      ['b', Float32Array.of(1)],
      ['c', Float32Array.of(1)],
    ]);
    const second = new Map([
      ...first,
      ['c', Float32Array.of(2)] as const,
      ['a', Float32Array.of(3)] as const,
    ]);
    expect(tensorDifferences(first, second).map(({ tensor }) => tensor)).toEqual(['a', 'c']);
  });
});
