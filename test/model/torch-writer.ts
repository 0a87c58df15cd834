import { crc32 } from 'node:zlib';

/** A tensor to write as PyTorch would; strides default to row-major. */
export interface TorchTensor {
  readonly shape: readonly number[];
  /** of float32, float16's bits or int64 */
  readonly data: Float32Array | Uint16Array | BigInt64Array;
  readonly strides?: readonly number[];
}

/** Bytes of one pickle, piece by piece; every method returns the bytes of a value. */
export const pickle = {
  global: (name: string) => Buffer.from(`c${name.replace(' ', '\n')}\n`),
  text: (text: string) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from('X'), uint32(bytes.length), bytes]);
  },
  integer: (value: number) => Buffer.concat([Buffer.from('J'), uint32(value)]),
  tuple: (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]),
  call: (callee: string, ...items: Buffer[]) =>
    Buffer.concat([pickle.global(callee), pickle.tuple(...items), Buffer.from('R')]),
  dictionary: (items: readonly (readonly [Buffer, Buffer])[]) =>
    Buffer.concat([Buffer.from('}('), ...items.flat(), Buffer.from('u')]),
  document: (value: Buffer) => Buffer.concat([Buffer.from([0x80, 2]), value, Buffer.from('.')]),
};

/** `torch.save` of a state dictionary, zipped. */
export function torchZip(tensors: ReadonlyMap<string, TorchTensor>): Buffer {
  const entries = [...tensors];
  const dictionary = pickle.dictionary(
    entries.map(([name, tensor], key) => [pickle.text(name), tensorPickle(tensor, String(key))]),
  );
  return storedZip([
    ['archive/data.pkl', pickle.document(dictionary)],
    ['archive/byteorder', Buffer.from('little')],
    ...entries.map(([, { data }], key) => [`archive/data/${key}`, bytesOf(data)] as const),
    ['archive/version', Buffer.from('3\n')],
  ]);
}

/** `torch.save` of a state dictionary in the format before PyTorch 1.6. */
export function torchLegacy(tensors: ReadonlyMap<string, TorchTensor>): Buffer {
  const entries = [...tensors];
  const dictionary = pickle.dictionary(
    entries.map(([name, tensor], key) => [
      pickle.text(name),
      tensorPickle(tensor, String(key), Buffer.from('N')),
    ]),
  );
  const magic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');
  const machine = pickle.dictionary([[pickle.text('little_endian'), Buffer.from([0x88])]]);
  const keys = Buffer.concat([
    Buffer.from(']('),
    ...entries.map((_entry, key) => pickle.text(String(key))),
    Buffer.from('e'),
  ]);
  return Buffer.concat([
    pickle.document(magic),
    pickle.document(pickle.integer(1001)),
    pickle.document(machine),
    pickle.document(dictionary),
    pickle.document(keys),
    ...entries.flatMap(([, { data }]) => [uint64(data.length), bytesOf(data)]),
  ]);
}

export function tensorPickle({ shape, data, strides }: TorchTensor, key: string, ...view: Buffer[]): Buffer {
  const narrow = data instanceof Uint16Array ? 'torch HalfStorage' : 'torch LongStorage';
  const type = data instanceof Float32Array ? 'torch FloatStorage' : narrow;
  const storage = pickle.tuple(
    pickle.text('storage'),
    pickle.global(type),
    pickle.text(key),
    pickle.text('cpu'),
    pickle.integer(data.length),
    ...view,
  );
  const rowMajor = shape.map((_extent, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const call = pickle.call(
    'torch._utils _rebuild_tensor_v2',
    Buffer.concat([storage, Buffer.from('Q')]),
    pickle.integer(0),
    pickle.tuple(...shape.map(pickle.integer)),
    pickle.tuple(...(strides ?? rowMajor).map(pickle.integer)),
    Buffer.from([0x89]),
    pickle.call('collections OrderedDict'),
  );
  return call;
}

/** An archive of stored files; `method` and `checksum` may lie. */
export function storedZip(
  files: readonly (readonly [string, Buffer])[],
  { method = 0, checksumOffset = 0 } = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const [name, content] of files) {
    const shared = Buffer.concat([
      uint16(method),
      uint32(0),
      uint32((crc32(content) + checksumOffset) >>> 0),
      uint32(content.length),
      uint32(content.length),
      uint16(name.length),
    ]);
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04'),
      uint16(20),
      uint16(0),
      shared,
      uint16(0),
      Buffer.from(name),
    ]);
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02'),
        uint16(20),
        uint16(20),
        uint16(0),
        shared,
        Buffer.alloc(12),
        uint32(position),
        Buffer.from(name),
      ]),
    );
    parts.push(local, content);
    position += local.length + content.length;
  }
  const list = Buffer.concat(directory);
  return Buffer.concat([
    ...parts,
    list,
    Buffer.from('PK\x05\x06'),
    uint32(0),
    uint16(files.length),
    uint16(files.length),
    uint32(list.length),
    uint32(position),
    uint16(0),
  ]);
}

function bytesOf(data: Float32Array | Uint16Array | BigInt64Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
