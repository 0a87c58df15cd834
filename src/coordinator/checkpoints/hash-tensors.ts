import type { TensorMap } from '../../checkpoint/safetensors.js';
import type { HashFunction } from '../../methods/method.js';

/** Begins the name of every matrix of a hash function in a checkpoint. */
const prefix = 'hash.';

/** The matrices of a hash function as tensors; none when there is no function. Their memory is shared. */
export function hashTensors(hash: HashFunction | null): TensorMap {
  return Object.fromEntries(
    Object.entries(hash ?? {}).map(([name, { rows, columns, data }]) => [
      `${prefix}${name}`,
      { shape: [rows, columns], data },
    ]),
  );
}

/** The hash function among the tensors of a checkpoint; null when there is none. */
export function hashFromTensors(tensors: TensorMap): HashFunction | null {
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  if (found.length === 0) return null;
  return Object.fromEntries(
    found.map(([name, { shape, data }]) => [
      name.slice(prefix.length),
      { rows: shape[0]!, columns: shape[1]!, data: data as Float64Array<ArrayBuffer> },
    ]),
  );
}
