import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../src/checkpoint/safetensors.js';

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
  const text = bytes.toString('utf8', 8, start);
  // Spaces fill it up to a multiple of eight bytes, and no further.
  expect(text.length - text.trimEnd().length).toBeLessThan(8);
  const header = JSON.parse(text);
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

test('types that JavaScript has no arrays for are read as bits', () => {
  const header = `{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[2,4]}}`;
  const read = decodeSafetensors(file(header, Uint8Array.of(0, 0x3c, 0x80, 0x3f)), 'f');
  expect(read.types).toEqual({ a: 'F16', b: 'BF16' });
  expect(read.tensors).toEqual({
    a: { shape: [1], data: Uint16Array.of(0x3c00) },
    b: { shape: [1], data: Uint16Array.of(0x3f80) },
  });
  expect(read.metadata).toEqual({});
});

test('tensors of one width keep their order, after the wider ones', () => {
  const map = {
    y: { shape: [1], data: Int8Array.of(1) },
    b: { shape: [1], data: Float32Array.of(1) },
    x: { shape: [1], data: Uint8Array.of(2) },
    a: { shape: [1], data: Int32Array.of(2) },
    wide: { shape: [1], data: Float64Array.of(3) },
  };
  const read = decodeSafetensors(Buffer.concat(encodeSafetensors(map)), 'f');
  expect(Object.keys(read.tensors)).toEqual(['wide', 'b', 'a', 'y', 'x']);
  expect(read.types).toEqual({ wide: 'F64', b: 'F32', a: 'I32', y: 'I8', x: 'U8' });
});

test('the header may name tensors in any order, and empty ones at the place of another', () => {
  const header = `{"second":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"first":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"none":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`;
  const { tensors } = decodeSafetensors(file(header, Uint8Array.of(7, 8)), 'f');
  expect(tensors).toEqual({
    none: { shape: [0], data: new Uint8Array(0) },
    first: { shape: [1], data: Uint8Array.of(7) },
    second: { shape: [1], data: Uint8Array.of(8) },
  });
});

test('aligned tensors share the file’s memory', () => {
  const bytes = Buffer.concat(encodeSafetensors(tensors));
  const own = new Uint8Array(bytes.length);
  own.set(bytes);
  for (const { data } of Object.values(decodeSafetensors(own, 'f').tensors)) {
    expect(data.buffer).toBe(own.buffer);
  }
});

test('without metadata the file has none', () => {
  const [head] = encodeSafetensors({ w: { shape: [1], data: Float32Array.of(1) } });
  const text = Buffer.from(head!.subarray(8)).toString();
  expect(JSON.parse(text)).toEqual({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
});

test('a header longer than the format allows is refused before it is read', () => {
  const bytes = new Uint8Array(100_000_010);
  new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
  expect(() => decodeSafetensors(bytes, 'f')).toThrow(
    'tensor file f: it is not in safetensors format, or cut off: its first 8 bytes announce a header of 100000001 bytes, expected at most 100000000',
  );
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
  const hugeHeader = Buffer.alloc(16);
  hugeHeader.writeBigUInt64LE(2n ** 63n);
  test.each([
    ['too short', new Uint8Array(7), 'it has 7 bytes, expected at least 8'],
    [
      'header beyond the end',
      hugeHeader,
      'it is not in safetensors format, or cut off: its first 8 bytes announce a header of 9223372036854776000 bytes, expected at most 8',
    ],
    ['not JSON', file('{"w":'), 'its header is not JSON'],
    ['not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x22), 'its header is not JSON'],
    ['a list', file('[]'), 'its header is not a JSON object'],
    ['null', file('null'), 'its header is not a JSON object'],
    ['a number', file('5'), 'its header is not a JSON object'],
    ['metadata with numbers', file('{"__metadata__":{"a":1}}'), 'its metadata is not a map of strings'],
    [
      'unknown type',
      described({ dtype: 'F8', shape: [1], data_offsets: [0, 1] }, 1),
      'tensor w has type F8, expected one of F64, F32, I64, I32, I8, U8, F16, BF16',
    ],
    [
      'type of the prototype',
      described({ dtype: 'toString', shape: [1], data_offsets: [0, 1] }, 1),
      'tensor w has type toString, expected one of F64, F32, I64, I32, I8, U8, F16, BF16',
    ],
    [
      'negative extent',
      described({ dtype: 'U8', shape: [-1], data_offsets: [0, 1] }, 1),
      'tensor w.shape.0 has a wrong description (Too small: expected number to be >=0)',
    ],
    [
      'unknown field',
      described({ dtype: 'U8', shape: [1], data_offsets: [0, 1], x: 1 }, 1),
      'tensor w has a wrong description (Unrecognized key: "x")',
    ],
    [
      'a tensor that is null',
      file('{"w":null}'),
      'tensor w has a wrong description (Invalid input: expected object, received null)',
    ],
    [
      'gap',
      described({ dtype: 'U8', shape: [1], data_offsets: [1, 2] }, 2),
      'tensor w starts at byte 1, expected 0',
    ],
    [
      'wrong length',
      described({ dtype: 'F32', shape: [2, 1], data_offsets: [0, 4] }, 4),
      'tensor w has 4 bytes, expected 8 for F32 [2,1]',
    ],
    [
      'wrong length behind another tensor',
      file(
        '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"U8","shape":[4],"data_offsets":[3,5]}}',
        new Uint8Array(7),
      ),
      'tensor w has 2 bytes, expected 4 for U8 [4]',
    ],
    [
      'enormous shape',
      described({ dtype: 'U8', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] }, 1),
      'tensor w has 1 bytes, expected 1.2089258196146292e+24 for U8 [1099511627776,1099511627776]',
    ],
    [
      'beyond the end',
      described({ dtype: 'U8', shape: [9], data_offsets: [0, 9] }, 8),
      'tensor w ends at byte 9 of 8',
    ],
  ])('%s', (_, bytes, what) => {
    expect(() => decodeSafetensors(bytes, 'weights.safetensors')).toThrow(
      expect.objectContaining({
        code: 'CHECKPOINT_SAFETENSORS',
        message: `tensor file weights.safetensors: ${what}`,
      }),
    );
  });
});

test('a file that is longer or shorter than its tensors is refused', () => {
  const whole = Buffer.concat(encodeSafetensors(tensors));
  expect(() => decodeSafetensors(Buffer.concat([whole, Buffer.alloc(1)]), 'f')).toThrow(
    'tensor file f: its tensors end at byte 54, expected 55',
  );
  expect(() => decodeSafetensors(whole.subarray(0, whole.length - 1), 'f')).toThrow(
    'tensor file f: tensor codes ends at byte 54 of 53',
  );
});

test('the cause of a header that cannot be read stays attached', () => {
  const issues = expect.objectContaining({ issues: expect.any(Array) });
  for (const [header, cause] of [
    ['{', expect.any(SyntaxError)],
    ['{"__metadata__":5}', issues],
    ['{"w":5}', issues],
  ] as const) {
    expect(() => decodeSafetensors(file(header), 'f')).toThrow(expect.objectContaining({ cause }));
  }
});

test.each([
  [
    'of another shape',
    { w: { shape: [3], data: new Float32Array(2) } },
    'tensor w of shape [3] has 2 elements, expected 3',
  ],
  [
    'of a name that the format uses',
    { __metadata__: { shape: [1], data: new Float32Array(1) } },
    'a tensor has the name __metadata__, expected a name that the safetensors format does not use itself',
  ],
  [
    'of a type that the format does not have',
    { w: { shape: [1], data: new Uint16Array(1) } },
    'a Uint16Array has no type in a tensor file, expected one of F64, F32, I64, I32, I8, U8',
  ],
])('a tensor %s is not written', (_, map, message) => {
  expect(() => encodeSafetensors(map as Record<string, Tensor>)).toThrow(
    expect.objectContaining({ code: 'CHECKPOINT_SAFETENSORS', exitCode: 65, message }),
  );
});
