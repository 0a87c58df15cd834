import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import type { Graph, Value, ValueSpec } from '../graph.js';

/** One call of a TF.js kernel. `inputs` is keyed by name, or by position for kernels that take a list. */
export interface KernelCall {
  readonly inputs: { readonly [name: string]: Value };
  readonly attrs: NamedAttrMap;
  readonly graph: Graph;
}

/** Writes a TF.js kernel as nodes of the graph. */
export type GraphKernel = (call: KernelCall) => Value | Value[];

/** The attribute T of operations on float32 alone. */
export const floatType = { T: { type: 'float32' } } as const;

export function floats(shape: readonly number[]): ValueSpec {
  return { type: 'float32', shape };
}
