import type { TensorMap } from '../../checkpoint/safetensors.js';
import type { NetworkLayout } from '../../model/layout.js';
import type { RunState } from '../training/run-state.js';
import { hashTensors } from './hash-tensors.js';

/** The tensors of a checkpoint's `codes.safetensors`: copies of the codes and outputs, and what is never changed. */
export function codeTensors(
  { codes, queryCodes, u, hash, anchored }: RunState,
  layout: NetworkLayout,
): TensorMap {
  const { bits, own, featureWidth } = layout;
  return {
    V: { shape: [codes.length / bits, bits], data: codes.slice() },
    ...(queryCodes && { Q: { shape: [queryCodes.length / bits, bits], data: queryCodes.slice() } }),
    U: { shape: [u.length / bits, bits], data: u.slice() },
    ...(anchored && {
      C: { shape: [anchored.length / own!.parts / featureWidth, own!.parts, featureWidth], data: anchored },
    }),
    ...hashTensors(hash),
  };
}

/** The local features of the classes of a checkpoint; null when it has none. */
export function anchoredFromTensors(tensors: TensorMap): RunState['anchored'] {
  return (tensors.C?.data as Float32Array<ArrayBuffer> | undefined) ?? null;
}

/** The query codes of a checkpoint; null when it has none. */
export function queryCodesFromTensors(tensors: TensorMap): Int8Array | null {
  return (tensors.Q?.data as Int8Array | undefined) ?? null;
}
