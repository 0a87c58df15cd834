import fc from 'fast-check';

/** Float32 vectors of some length, with subnormals, zeros of both signs and the largest numbers among the values. */
export function floatVectors(count: number): fc.Arbitrary<Float32Array<ArrayBuffer>[]> {
  const value = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ min: -1, max: 1, noNaN: true }),
  );
  // Around the length that is computed on at a time as well.
  const length = fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 8180, max: 8210 }));
  const some = fc.array(value, { minLength: 1, maxLength: 50 });
  return fc
    .record({ length, values: fc.array(some, { minLength: count, maxLength: count }) })
    .map(({ length, values }) =>
      values.map((cycle) => Float32Array.from({ length }, (_, index) => cycle[index % cycle.length]!)),
    );
}

/** Where two vectors first differ in a bit, 0 and −0 told apart; −1 where they are the same. */
export function firstDifference(left: Float32Array, right: Float32Array): number {
  const bits = new Uint32Array(right.slice().buffer);
  return new Uint32Array(left.slice().buffer).findIndex((word, index) => word !== bits[index]);
}
