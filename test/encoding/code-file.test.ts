import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeFilePieces } from '../../src/encoding/code-file.js';
import { bytesOfPackedCodes, packedCodesOfBytes } from '../../src/formats/code-bytes.js';
import { readNpyCodes } from '../../src/formats/read-codes.js';
import { packCodes } from '../../src/hashing/codes.js';
import { failure } from '../kit/failure.js';
import { randomCodes } from '../retrieval/brute-force.js';

const file = (format: 'npy' | 'csv' | 'faiss', codes: Uint8Array, bits: number, paths: readonly string[]) =>
  Buffer.concat([...codeFilePieces(format, codes, bits, paths)]);

test('codes are read back from an array file, for 1 to 64 bits', () => {
  const input = fc.tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 9 }), fc.integer());
  fc.assert(
    fc.property(input, ([bits, count, seed]) => {
      const codes = packCodes(randomCodes(seed, count, bits), bits);
      const bytes = bytesOfPackedCodes(codes, bits);
      const written = file('npy', bytes, bits, Array.from({ length: count }, String));
      expect(packedCodesOfBytes(readNpyCodes(written, bits, 'x'), bits)).toEqual(codes);
    }),
    { numRuns: 50 },
  );
});

test('a CSV file has a quoted path and the bits in order', () => {
  const written = file('csv', Uint8Array.of(0b0000_0101, 0b0000_1000), 12, ['a, "b".jpg']);
  expect(written.toString()).toBe('path,code\n"a, ""b"".jpg",101000000001\n');
});

test.each([
  [
    'no NumPy file',
    Buffer.from('path,code\n0,1\n'),
    /^the code file codes\.npy is not in NumPy format, expected what "fcaenet encode --format npy" writes$/,
  ],
  [
    'another code length',
    file('npy', new Uint8Array(6), 24, ['a', 'b']),
    /has codes of 3 bytes, but the run has 12 bits, expected 2 bytes$/,
  ],
  [
    'cut off',
    file('npy', new Uint8Array(4), 12, ['a', 'b']).subarray(0, -1),
    /has 3 bytes of codes, expected 4 for 2 codes of 2 bytes$/,
  ],
  [
    'cut off in its header',
    file('npy', new Uint8Array(4), 12, ['a', 'b']).subarray(0, 100),
    /has 100 bytes, but its header alone has 128$/,
  ],
  [
    'other numbers',
    Buffer.from(
      file('npy', new Uint8Array(4), 12, ['a', 'b']).toString('latin1').replace('|u1', '<f4'),
      'latin1',
    ),
    /has the header .*<f4.*, expected rows of unsigned bytes$/,
  ],
])('a code file that is %s', (_, bytes, message) => {
  expect(() => readNpyCodes(bytes, 12, 'codes.npy')).toThrow(failure('FORMAT_CODE_FILE', message));
});
