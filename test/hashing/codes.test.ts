import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  changedBits,
  packCodes,
  popcount,
  signCodes,
  unpackCodes,
  wordsPerCode,
} from '../../src/hashing/codes.js';
import { generator } from './dense.js';

const matrices = fc
  .record({ bits: fc.integer({ min: 1, max: 64 }), rows: fc.integer({ min: 0, max: 9 }), seed: fc.integer() })
  .map(({ bits, rows, seed }) => {
    const next = generator(seed);
    return { bits, rows, codes: Int8Array.from({ length: rows * bits }, () => (next() < 0.5 ? -1 : 1)) };
  });

test('packing and unpacking are inverse for 1 to 64 bits', () => {
  fc.assert(
    fc.property(matrices, ({ bits, rows, codes }) => {
      const packed = packCodes(codes, bits);
      expect(packed.length).toBe(rows * wordsPerCode(bits));
      expect(unpackCodes(packed, rows, bits)).toEqual(codes);
    }),
  );
});

test('bit k of a code is bit k & 31 of word k >> 5', () => {
  for (let k = 0; k < 64; k++) {
    const codes = new Int8Array(64).fill(-1);
    codes[k] = 1;
    const expected = new Uint32Array(2);
    expected[k >> 5] = (1 << (k & 31)) >>> 0;
    expect(packCodes(codes, 64)).toEqual(expected);
  }
});

test('the popcount of two codes’ exclusive or is their Hamming distance (c − a·b) / 2', () => {
  fc.assert(
    fc.property(
      matrices.filter(({ rows }) => rows > 1),
      ({ bits, codes }) => {
        const words = wordsPerCode(bits);
        const packed = packCodes(codes, bits);
        let product = 0;
        for (let k = 0; k < bits; k++) product += codes[k]! * codes[bits + k]!;
        let distance = 0;
        for (let word = 0; word < words; word++) distance += popcount(packed[word]! ^ packed[words + word]!);
        expect(distance).toBe((bits - product) / 2);
      },
    ),
  );
});

test('changed bits are those that differ, and all of them where there were no codes', () => {
  expect(changedBits(Int8Array.of(1, -1, 1, -1), Int8Array.of(1, 1, -1, -1))).toBe(2);
  expect(changedBits(new Int8Array(4), Int8Array.of(1, 1, -1, -1))).toBe(4);
});

test('sign(0) is +1', () => {
  expect(signCodes(Float32Array.of(0, -0, 1e-30, -1e-30, 1, -1))).toEqual(Int8Array.of(1, 1, 1, -1, 1, -1));
});
