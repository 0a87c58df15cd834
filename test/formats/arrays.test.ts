import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfPackedCodes, bytesPerCode, codeBytes } from '../../src/formats/code-bytes.js';
import { encodeCsv } from '../../src/formats/csv.js';
import { encodeFaissIndex } from '../../src/formats/faiss.js';
import { encodeNpy } from '../../src/formats/npy.js';
import { packCodes } from '../../src/hashing/codes.js';

const hexOf = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('hex');

test('an array file has the bytes that numpy.save writes for zeros of float32 [3, 2]', () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
  const expected = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'),
    Buffer.from(`${header.padEnd(117)}\n`),
    Buffer.alloc(24),
  ]);
  expect(hexOf(encodeNpy(new Float32Array(6), [3, 2]))).toBe(expected.toString('hex'));
});

test('an array file names type and shape, and its values begin at a multiple of 64', () => {
  const [head, values] = encodeNpy(Uint8Array.of(1, 2, 3), [3]);
  expect(head!.length % 64).toBe(0);
  expect(Buffer.from(head!).toString('latin1', 10).trim()).toBe(
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }",
  );
  expect(values).toEqual(Uint8Array.of(1, 2, 3));
  expect(() => encodeNpy(new Int32Array(5), [2, 3])).toThrow('has 5 values, expected 6');
});

test('an index file has the bytes that FAISS 1.15 writes for two codes of 24 bits', () => {
  const written =
    '49427846' +
    '18000000' +
    '03000000' +
    '0200000000000000' +
    '01' +
    '01000000' +
    '0600000000000000' +
    '010203ff0007';
  expect(hexOf(encodeFaissIndex(Uint8Array.of(1, 2, 3, 255, 0, 7), 24))).toBe(written);
});

test('an index file pads codes to whole bytes', () => {
  const [head] = encodeFaissIndex(new Uint8Array(6), 12);
  const view = Buffer.from(head!);
  expect([view.readInt32LE(4), view.readInt32LE(8), view.readBigInt64LE(12)]).toEqual([16, 2, 3n]);
});

test('bit k of a code is bit k & 7 of byte k >> 3, and unused bits are 0', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 64 })
        .chain((bits) =>
          fc.tuple(
            fc.constant(bits),
            fc.array(fc.constantFrom(-1, 1), { minLength: 3 * bits, maxLength: 3 * bits }),
          ),
        ),
      ([bits, signs]) => {
        const codes = Int8Array.from(signs);
        const bytes = codeBytes(codes, bits);
        const width = bytesPerCode(bits);
        const expected = Uint8Array.from({ length: 3 * width }, (_, index) => {
          const [row, byte] = [Math.floor(index / width), index % width];
          return Array.from({ length: 8 }, (_, k) => 8 * byte + k).reduce(
            (value, bit, k) => value | (bit < bits && codes[row * bits + bit] === 1 ? 1 << k : 0),
            0,
          );
        });
        expect(bytes).toEqual(expected);
        expect(bytesOfPackedCodes(packCodes(codes, bits), bits)).toEqual(expected);
      },
    ),
  );
});

test('fields with commas, quotes and line breaks are put into quotes', () => {
  expect(
    encodeCsv(
      ['row', 'path'],
      [
        [0, 'a.jpg'],
        [1, 'a,b "c"\nd.jpg'],
      ],
    ),
  ).toBe('row,path\n0,a.jpg\n1,"a,b ""c""\nd.jpg"\n');
});
