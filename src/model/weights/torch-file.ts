import { createHash } from 'node:crypto';
import { ModelError } from '../error.js';
import { isKind, type PickleValue, readPickle, type TensorReference } from './pickle.js';
import { readWeights, type StoredTensor, type StoredTensors } from './tf-manifest.js';
import { type FloatType, widen } from './widen.js';
import { isZip, readStoredZip } from './zip.js';

type Fail = (reason: string) => Error;

interface Contents {
  /** The pickle's content. */
  readonly value: PickleValue;
  /** Raw little-endian elements of each storage, by its key. */
  readonly storages: ReadonlyMap<string, Uint8Array>;
}

/** First value of PyTorch's format before 1.6, and its version. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyVersion = 1001;

/** Storage types that are converted to float32. */
const floatTypes: Readonly<Record<string, FloatType>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
};

const elementBytes: Readonly<Record<string, number>> = {
  FloatStorage: 4,
  HalfStorage: 2,
  BFloat16Storage: 2,
  DoubleStorage: 8,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
};

/**
 * Reads a dictionary of named tensors that `torch.save` wrote (`.pth`), in the zipped format or the format before
 * PyTorch 1.6. Only tensors are read: a file that names any other class or function is an error, and no code in it is
 * executed.
 * @param isIgnored names that may have any type and are skipped
 * @throws ModelError `MODEL_WEIGHTS_TORCH` for another kind of file, `MODEL_WEIGHTS_DTYPE` for another type than
 * float32, float16 and bfloat16, `MODEL_WEIGHTS_UNREADABLE`
 */
export async function readTorchFile(
  path: string,
  isIgnored: (name: string) => boolean,
): Promise<StoredTensors> {
  const bytes = await readWeights(path);
  const fail: Fail = (reason) =>
    new ModelError('MODEL_WEIGHTS_TORCH', `weights ${path} are not a readable PyTorch file: ${reason}`);
  const { value, storages } = isZip(bytes) ? readZipped(bytes, fail) : readLegacy(bytes, fail);
  if (!(value instanceof Map)) throw fail('they are not a dictionary of tensors');
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of value) {
    if (typeof name !== 'string') throw fail(`a name of a tensor is ${String(name)}, expected text`);
    if (!isKind(tensor, 'tensor')) throw fail(`the entry ${name} is not a tensor`);
    if (isIgnored(name)) continue;
    const type = floatTypes[tensor.storage.type];
    if (type === undefined) {
      throw new ModelError(
        'MODEL_WEIGHTS_DTYPE',
        `tensor ${name} in ${path} has the type ${tensor.storage.type}, expected ${Object.keys(floatTypes).join(', ')}`,
      );
    }
    tensors.set(name, { shape: tensor.shape, data: gather(name, tensor, type, storages, fail), type });
  }
  return { tensors, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** `NAME/data.pkl` describes the tensors, `NAME/data/KEY` holds the storage of that key. */
function readZipped(bytes: Buffer, fail: Fail): Contents {
  const files = readStoredZip(bytes, fail);
  const names = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (names.length !== 1) throw fail(`its archive holds ${names.length} files data.pkl, expected 1`);
  const folder = names[0]!.slice(0, -'data.pkl'.length);
  const order = files.get(`${folder}byteorder`);
  if (order && Buffer.from(order).toString() !== 'little') throw fail('its byte order is not little-endian');
  const storages = new Map<string, Uint8Array>();
  for (const [name, content] of files) {
    if (name.startsWith(`${folder}data/`)) storages.set(name.slice(folder.length + 'data/'.length), content);
  }
  return { value: readPickle(Buffer.from(files.get(names[0]!)!), 0, fail).value, storages };
}

/** Five pickles in a row (magic, version, machine, tensors, keys), then each key's element count and elements. */
function readLegacy(bytes: Buffer, fail: Fail): Contents {
  if (bytes[0] !== 0x80) throw fail('it is neither an archive nor a pickle');
  const magic = readPickle(bytes, 0, fail);
  if (magic.value !== legacyMagic) throw fail('it does not begin with the mark of torch.save');
  const version = readPickle(bytes, magic.end, fail);
  if (version.value !== legacyVersion) {
    throw fail(`its format is ${String(version.value)}, expected ${legacyVersion}`);
  }
  const machine = readPickle(bytes, version.end, fail);
  if (!(machine.value instanceof Map) || machine.value.get('little_endian') !== true) {
    throw fail('its byte order is not little-endian');
  }
  const tensors = readPickle(bytes, machine.end, fail);
  const keys = readPickle(bytes, tensors.end, fail);
  const types = new Map<string, string>();
  if (tensors.value instanceof Map) {
    for (const tensor of tensors.value.values()) {
      if (isKind(tensor, 'tensor')) types.set(tensor.storage.key, tensor.storage.type);
    }
  }
  const storages = new Map<string, Uint8Array>();
  let position = keys.end;
  for (const key of Array.isArray(keys.value) ? (keys.value as PickleValue[]) : []) {
    const size = elementBytes[types.get(String(key)) ?? ''];
    if (size === undefined) throw fail(`its storage ${String(key)} belongs to no tensor`);
    if (position + 8 > bytes.length) throw fail(`it ends before its storage ${String(key)}`);
    const end = position + 8 + Number(bytes.readBigUInt64LE(position)) * size;
    if (!(end <= bytes.length)) throw fail(`it ends inside its storage ${String(key)}`);
    storages.set(String(key), bytes.subarray(position + 8, end));
    position = end;
  }
  if (position !== bytes.length) throw fail(`its storages end at byte ${position} of ${bytes.length}`);
  return { value: tensors.value, storages };
}

/** A tensor's values in row-major order. */
function gather(
  name: string,
  { storage, offset, shape, strides }: TensorReference,
  type: FloatType,
  storages: Contents['storages'],
  fail: Fail,
): Float32Array<ArrayBuffer> {
  const bytes = storages.get(storage.key);
  const expectedBytes = elementBytes[storage.type]! * storage.length;
  if (bytes?.length !== expectedBytes) {
    throw fail(`the storage of ${name} has ${bytes?.length ?? 'no'} bytes, expected ${expectedBytes}`);
  }
  const count = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, offset);
  if (count > 0 && last >= storage.length) {
    throw fail(`tensor ${name} reaches to element ${last} of ${storage.length}`);
  }
  if (count > storage.length) throw fail(`tensor ${name} repeats elements of its storage`);
  // A copy is aligned; a position in the file may not be.
  const { buffer } = Uint8Array.from(bytes);
  const source = type === 'F32' ? new Float32Array(buffer) : widen(type, new Uint16Array(buffer));
  const result = new Float32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = offset; i < count; i++) {
    result[i] = source[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
