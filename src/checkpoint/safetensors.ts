import { z } from 'zod';
import { CheckpointError } from './error.js';

/**
 * Named tensors in one file, in Hugging Face's safetensors format: the header's length as uint64, a JSON header, then
 * the tensors' bytes without gaps, all little-endian.
 */

const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I8: Int8Array,
  U8: Uint8Array,
} as const;

/** Types without a JavaScript array type: their bits can be read, but not written. */
const bitTypes = { F16: Uint16Array, BF16: Uint16Array } as const;
const readTypes = { ...arrayTypes, ...bitTypes };

export type TensorType = keyof typeof readTypes;
export type TensorArray = InstanceType<(typeof readTypes)[TensorType]>;

/** A dense row-major tensor. Its array's class determines its type in the file. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorArray;
}

export type TensorMap = Readonly<Record<string, Tensor>>;

/** Contents of a tensor file. */
export interface TensorFile {
  readonly tensors: TensorMap;
  /** types of the tensors, as named in the file */
  readonly types: Readonly<Record<string, TensorType>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own bound on the header. */
const maxHeaderBytes = 100_000_000;

const tensorSchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());

function typeOf(data: TensorArray): keyof typeof arrayTypes {
  for (const [type, ArrayType] of Object.entries(arrayTypes)) {
    if (data instanceof ArrayType) return type as keyof typeof arrayTypes;
  }
  throw new CheckpointError(
    'CHECKPOINT_SAFETENSORS',
    `a ${data.constructor.name} has no type in a tensor file, expected one of ${Object.keys(arrayTypes).join(', ')}`,
  );
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/**
 * Arranges tensors as the consecutive pieces of a file. The pieces share memory with the tensors. The widest elements
 * come first and the header is padded, so every tensor is aligned. Tensors of one width keep their order.
 * @throws CheckpointError `CHECKPOINT_SAFETENSORS` when a shape does not match its data
 */
export function encodeSafetensors(tensors: TensorMap, metadata: Record<string, string> = {}): Uint8Array[] {
  const entries = Object.entries(tensors).sort(
    ([, { data: x }], [, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT,
  );
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of entries) {
    if (name === '__metadata__') {
      throw new CheckpointError(
        'CHECKPOINT_SAFETENSORS',
        `a tensor has the name ${name}, expected a name that the safetensors format does not use itself`,
      );
    }
    if (elementCount(shape) !== data.length) {
      throw new CheckpointError(
        'CHECKPOINT_SAFETENSORS',
        `tensor ${name} of shape [${shape}] has ${data.length} elements, expected ${elementCount(shape)}`,
      );
    }
    const end = offset + data.byteLength;
    header.push([name, { dtype: typeOf(data), shape, data_offsets: [offset, end] }]);
    pieces.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset = end;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);
  return [head, ...pieces];
}

/**
 * Reads the bytes of an untrusted tensor file: lengths, schema, types and offsets are checked, and the tensors must
 * fill the file without gap or overlap. Aligned tensors share the file's memory.
 * @param file name for messages
 * @throws CheckpointError `CHECKPOINT_SAFETENSORS`, naming the file and, if there is one, the tensor
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): TensorFile {
  const fail = (what: string, cause?: unknown) =>
    new CheckpointError('CHECKPOINT_SAFETENSORS', `tensor file ${file}: ${what}`, { cause });
  if (bytes.length < 8) throw fail(`it has ${bytes.length} bytes, expected at least 8`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const available = Math.min(bytes.length - 8, maxHeaderBytes);
  if (headerBytes > available) {
    throw fail(
      `it is not in safetensors format, or cut off: its first 8 bytes announce a header of ${headerBytes} bytes, expected at most ${available}`,
    );
  }
  const { layout, metadata } = parseHeader(bytes.subarray(8, 8 + headerBytes), fail);
  const data = bytes.subarray(8 + headerBytes);

  const ordered = layout.sort(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let expected = 0;
  const tensors = ordered.map(([name, { dtype, shape, data_offsets }]): [string, Tensor] => {
    const [start, end] = data_offsets;
    if (!Object.hasOwn(readTypes, dtype)) {
      throw fail(`tensor ${name} has type ${dtype}, expected one of ${Object.keys(readTypes).join(', ')}`);
    }
    const ArrayType = readTypes[dtype as TensorType];
    const length = elementCount(shape) * ArrayType.BYTES_PER_ELEMENT;
    if (start !== expected) throw fail(`tensor ${name} starts at byte ${start}, expected ${expected}`);
    if (end - start !== length) {
      throw fail(`tensor ${name} has ${end - start} bytes, expected ${length} for ${dtype} [${shape}]`);
    }
    if (end > data.length) throw fail(`tensor ${name} ends at byte ${end} of ${data.length}`);
    expected = end;
    const aligned = (data.byteOffset + start) % ArrayType.BYTES_PER_ELEMENT === 0;
    const source = aligned ? data.subarray(start, end) : Uint8Array.from(data.subarray(start, end));
    const { buffer, byteOffset } = source;
    return [name, { shape, data: new ArrayType(buffer as ArrayBuffer, byteOffset, elementCount(shape)) }];
  });
  if (expected !== data.length) throw fail(`its tensors end at byte ${expected}, expected ${data.length}`);
  const types = ordered.map(([name, { dtype }]) => [name, dtype as TensorType]);
  return { tensors: Object.fromEntries(tensors), types: Object.fromEntries(types), metadata };
}

function parseHeader(bytes: Uint8Array, fail: (what: string, cause?: unknown) => CheckpointError) {
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw fail('its header is not JSON', error);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw fail('its header is not a JSON object');
  const { __metadata__: rawMetadata = {}, ...rawLayout } = raw as Record<string, unknown>;
  const metadata = metadataSchema.safeParse(rawMetadata);
  if (!metadata.success) throw fail('its metadata is not a map of strings', metadata.error);
  // One by one: a zod record drops the key __proto__.
  const layout = Object.entries(rawLayout).map(([name, description]) => {
    const tensor = tensorSchema.safeParse(description);
    if (!tensor.success) {
      const issue = tensor.error.issues[0]!;
      const place = [name, ...issue.path.map(String)].join('.');
      throw fail(`tensor ${place} has a wrong description (${issue.message})`, tensor.error);
    }
    return [name, tensor.data] as const;
  });
  return { layout, metadata: metadata.data };
}
