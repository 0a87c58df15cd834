/**
 * NumPy's array file, version 1.0: a magic number, a header of text that is a Python dictionary, and the values in row-major
 * order. Source: NumPy's `numpy.lib.format`.
 */

const types = [
  [Float32Array, '<f4'],
  [Float64Array, '<f8'],
  [Int8Array, '|i1'],
  [Uint8Array, '|u1'],
  [Int32Array, '<i4'],
  [Uint32Array, '<u4'],
  [BigInt64Array, '<i8'],
] as const;

export type NpyArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

/** The values begin at a multiple of this, so that a reader may map the file into memory. */
const alignment = 64;

/**
 * An array as the consecutive pieces of a `.npy` file. The second piece shares memory with `values`.
 * @param shape extents whose product is the number of values
 * @throws RangeError when they are not
 */
export function encodeNpy(values: NpyArray, shape: readonly number[]): Uint8Array[] {
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (count !== values.length) {
    throw new RangeError(`An array of shape [${shape}] has ${values.length} values, expected ${count}.`);
  }
  const [, type] = types.find(([ArrayType]) => values instanceof ArrayType)!;
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${extents}), }`;
  const prefixBytes = 10;
  const total = Math.ceil((prefixBytes + text.length + 1) / alignment) * alignment;
  const head = Buffer.alloc(total, ' ');
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(total - prefixBytes, 8);
  head.write(text, prefixBytes, 'latin1');
  head.write('\n', total - 1);
  return [head, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)];
}
