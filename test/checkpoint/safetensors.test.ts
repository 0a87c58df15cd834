import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type Tensor,
} from '../../src/checkpoint/safetensors.js';

const tensors: Record<string, Tensor> = {
  bytes: { shape: [3], data: Uint8Array.of(1, 2, 255) },
  codes: { shape: [1, 3], data: Int8Array.of(1, -1, 1) },
  counts: { shape: [], data: BigInt64Array.of(-(2n ** 60n)) },
  double: { shape: [2], data: Float64Array.of(Math.PI, -0) },
  empty: { shape: [0, 4], data: new Float32Array(0) },
  float: { shape: [2, 2], data: Float32Array.of(1, 2.5, -3, Number.POSITIVE_INFINITY) },
  integers: { shape: [2], data: Int32Array.of(-5, 7) },
};

/** A file with the given header text and data. */
function file(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

function described(description: Record<string, unknown>, bytes: number): Uint8Array {
  return file(JSON.stringify({ w: description }), new Uint8Array(bytes));
}

test('tensors and metadata come back as they were', () => {
  const bytes = Buffer.concat(encodeSafetensors(tensors, { origin: 'test' }));
  const read = decodeSafetensors(bytes, 'file');
  expect(read.tensors).toEqual(tensors);
  expect(read.metadata).toEqual({ origin: 'test' });
});

test('a reader that knows only the format’s definition finds the numbers, aligned', () => {
  const bytes = Buffer.concat(encodeSafetensors(tensors));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start));
  expect(Object.keys(header).sort()).toEqual(Object.keys(tensors));
  expect(header.float).toMatchObject({ dtype: 'F32', shape: [2, 2] });
  expect(bytes.readFloatLE(start + header.float.data_offsets[0] + 4)).toBe(2.5);
  expect(bytes.readDoubleLE(start + header.double.data_offsets[0])).toBe(Math.PI);
  expect(bytes.readInt8(start + header.codes.data_offsets[0] + 1)).toBe(-1);
  const ends = Object.values<{ data_offsets: number[] }>(header).map(({ data_offsets }) => data_offsets[1]!);
  expect(start + Math.max(...ends)).toBe(bytes.length);
  for (const [name, { data }] of Object.entries(tensors)) {
    expect((start + header[name].data_offsets[0]) % data.BYTES_PER_ELEMENT).toBe(0);
  }
});

test('a file whose data is not aligned is read all the same', () => {
  const data = Buffer.from(Float32Array.of(1.5, -2).buffer);
  for (const padding of ['', ' ', '  ', '   ']) {
    const header = `{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}${padding}`;
    expect(decodeSafetensors(file(header, data), 'f').tensors.w!.data).toEqual(Float32Array.of(1.5, -2));
  }
});

test('a name may be any text', () => {
  const names = fc.uniqueArray(
    fc.string().filter((name) => name !== '__metadata__'),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(names, (list) => {
      const map = Object.fromEntries(list.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
      const read = decodeSafetensors(Buffer.concat(encodeSafetensors(map)), 'file').tensors;
      expect(Object.entries(read).sort()).toEqual(Object.entries(map).sort());
    }),
    { examples: [[['__proto__', 'constructor']]] },
  );
});

test('no damage to the header is taken for a tensor without an error of ours', () => {
  const bytes = Buffer.concat(encodeSafetensors(tensors));
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(bytes.length),
      (at, mask, end) => {
        const damaged = Buffer.from(bytes.subarray(0, end));
        if (at < end) damaged[at]! ^= mask;
        try {
          decodeSafetensors(damaged, 'file');
        } catch (error) {
          expect(error).toMatchObject({ code: 'CHECKPOINT_SAFETENSORS' });
        }
      },
    ),
    { numRuns: 2000 },
  );
});

describe('a wrong file is refused by name', () => {
  const whole = Buffer.concat(encodeSafetensors(tensors));
  const hugeHeader = Buffer.alloc(16);
  hugeHeader.writeBigUInt64LE(2n ** 63n);
  test.each([
    ['too short', new Uint8Array(7), '7 bytes, expected at least 8'],
    ['header beyond the end', hugeHeader, 'expected at most 8'],
    ['not JSON', file('{"w":'), 'header is not JSON'],
    ['not UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), 'not JSON'],
    ['not an object', file('[]'), 'not a JSON object'],
    ['metadata with numbers', file('{"__metadata__":{"a":1}}'), 'metadata is not a map of strings'],
    ['unknown type', described({ dtype: 'F8', shape: [1], data_offsets: [0, 1] }, 1), 'tensor w has type F8'],
    [
      'type of the prototype',
      described({ dtype: 'toString', shape: [1], data_offsets: [0, 1] }, 1),
      'type toString',
    ],
    ['negative extent', described({ dtype: 'U8', shape: [-1], data_offsets: [0, 1] }, 1), 'w.shape.0'],
    ['unknown field', described({ dtype: 'U8', shape: [1], data_offsets: [0, 1], x: 1 }, 1), 'tensor w'],
    ['gap', described({ dtype: 'U8', shape: [1], data_offsets: [1, 2] }, 2), 'starts at byte 1, expected 0'],
    ['wrong length', described({ dtype: 'F32', shape: [2], data_offsets: [0, 4] }, 4), '4 bytes, expected 8'],
    [
      'enormous shape',
      described({ dtype: 'U8', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] }, 1),
      '1 bytes, expected 1.2',
    ],
    [
      'beyond the end',
      described({ dtype: 'U8', shape: [9], data_offsets: [0, 9] }, 8),
      'ends at byte 9 of 8',
    ],
    ['bytes left over', Buffer.concat([whole, Buffer.alloc(1)]), 'tensors end at byte'],
    ['cut', whole.subarray(0, whole.length - 1), 'tensor codes ends at byte'],
  ])('%s', (_, bytes, text) => {
    expect(() => decodeSafetensors(bytes, 'weights.safetensors')).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_SAFETENSORS',
        message: expect.stringMatching(/^Tensor file weights\.safetensors: /),
      }),
    );
    expect(() => decodeSafetensors(bytes, 'weights.safetensors')).toThrow(text);
  });
});

test('tensors that cannot be written are refused', () => {
  const wrong = (tensor: Tensor, name = 'w') => encodeSafetensors({ [name]: tensor });
  expect(() => wrong({ shape: [3], data: new Float32Array(2) })).toThrow('2 elements, expected 3');
  expect(() => wrong({ shape: [1], data: new Float32Array(1) }, '__metadata__')).toThrow(
    'A tensor has the name __metadata__, expected a name',
  );
  expect(() => wrong({ shape: [1], data: new Uint16Array(1) as never })).toThrow('A Uint16Array has no type');
});

test('files are read from disk, and a missing one is named', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'fcaenet-')), 'w.safetensors');
  await expect(readSafetensors(path)).rejects.toThrow(
    expect.objectContaining({
      code: 'CHECKPOINT_READ',
      exitCode: 66,
      message: expect.stringContaining(path),
    }),
  );
  await writeFile(path, encodeSafetensors(tensors));
  expect((await readSafetensors(path)).tensors).toEqual(tensors);
});
