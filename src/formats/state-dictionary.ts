import { encodeStoredZip } from './stored-zip.js';

/** A dense row-major tensor of float32. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** PyTorch aligns each tensor's bytes to this, so that it can map the file into memory. */
const alignment = 64;

/**
 * Named tensors as the consecutive pieces of a file that `torch.load(path, weights_only=True)` reads: the archive that
 * PyTorch writes since 1.6. Its pickle only names dictionaries and tensors. The pieces share memory with the tensors.
 */
export function encodeStateDictionary(tensors: Readonly<Record<string, FloatTensor>>): Uint8Array[] {
  const entries = Object.entries(tensors);
  const dictionary = [
    opcode.protocol2,
    ...reference('collections', 'OrderedDict'),
    opcode.emptyTuple,
    opcode.call,
    opcode.mark,
    ...entries.flatMap(([name, { shape, data }], key) => [
      ...text(name),
      ...tensor(String(key), shape, data.length),
    ]),
    opcode.setItems,
    opcode.stop,
  ];
  return encodeStoredZip(
    [
      { name: 'archive/data.pkl', pieces: [Buffer.concat(dictionary)] },
      { name: 'archive/byteorder', pieces: [Buffer.from('little')] },
      ...entries.map(([, { data }], key) => ({
        name: `archive/data/${key}`,
        pieces: [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
      })),
      { name: 'archive/version', pieces: [Buffer.from('3\n')] },
    ],
    alignment,
  );
}

/** Opcodes of Python's pickle language, protocol 2. */
const opcode = {
  protocol2: Buffer.from([0x80, 2]),
  mark: Buffer.from('('),
  tuple: Buffer.from('t'),
  emptyTuple: Buffer.from(')'),
  call: Buffer.from('R'),
  setItems: Buffer.from('u'),
  persistentId: Buffer.from('Q'),
  false: Buffer.from([0x89]),
  stop: Buffer.from('.'),
} as const;

function reference(module: string, name: string): Buffer[] {
  return [Buffer.from(`c${module}\n${name}\n`)];
}

function text(value: string): Buffer[] {
  const bytes = Buffer.from(value);
  return [Buffer.from('X'), int32(bytes.length), bytes];
}

function integer(value: number): Buffer[] {
  return [Buffer.from('J'), int32(value)];
}

function tuple(...items: Buffer[]): Buffer[] {
  return [opcode.mark, ...items, opcode.tuple];
}

/** A view of the whole storage `data/KEY`. */
function tensor(key: string, shape: readonly number[], count: number): Buffer[] {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, each) => product * each, 1));
  const storage = tuple(
    ...text('storage'),
    ...reference('torch', 'FloatStorage'),
    ...text(key),
    ...text('cpu'),
    ...integer(count),
  );
  const needsNoGradient = opcode.false;
  const noHooks = [...reference('collections', 'OrderedDict'), opcode.emptyTuple, opcode.call];
  return [
    ...reference('torch._utils', '_rebuild_tensor_v2'),
    ...tuple(
      ...storage,
      opcode.persistentId,
      ...integer(0),
      ...tuple(...shape.flatMap(integer)),
      ...tuple(...strides.flatMap(integer)),
      needsNoGradient,
      ...noHooks,
    ),
    opcode.call,
  ];
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
