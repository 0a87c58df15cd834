import type { TensorMap } from '../../checkpoint/safetensors.js';
import type { RunState } from '../training/run-state.js';
import { hashTensors } from './hash-tensors.js';

/** The tensors of a checkpoint's `codes.safetensors`: copies of the codes and outputs, and the hash function itself. */
export function codeTensors({ codes, queryCodes, u, hash }: RunState, bits: number): TensorMap {
  return {
    V: { shape: [codes.length / bits, bits], data: codes.slice() },
    ...(queryCodes && { Q: { shape: [queryCodes.length / bits, bits], data: queryCodes.slice() } }),
    U: { shape: [u.length / bits, bits], data: u.slice() },
    ...hashTensors(hash),
  };
}

/** The query codes of a checkpoint; null when it has none. */
export function queryCodesFromTensors(tensors: TensorMap): Int8Array | null {
  return (tensors.Q?.data as Int8Array | undefined) ?? null;
}
