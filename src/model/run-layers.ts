import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Branch } from './heads/place.js';
import type { PlacedFilterLayer, PlacedLayer } from './placement.js';

/**
 * Convolution, BatchNorm and activation. With a shortcut: relu of the sum of the BatchNorm's output and the shortcut.
 */
export type ApplyFilter = (layer: PlacedFilterLayer, x: Tensor4D, shortcut?: Tensor4D) => Tensor4D;

/** Runs layers one after another. Each result is released when the next is computed. The caller still owns `input`. */
export function runLayers(layers: readonly PlacedLayer[], input: Tensor4D, apply: ApplyFilter): Tensor4D {
  return runTrunk(layers, input, [], apply).last;
}

/** The same, and keeps the results that branches begin from, in their order. */
export function runTrunk(
  layers: readonly PlacedLayer[],
  input: Tensor4D,
  branches: readonly Branch[],
  apply: ApplyFilter,
): { readonly maps: readonly Tensor4D[]; readonly last: Tensor4D } {
  const kept = new Map<number, Tensor4D>();
  let x = input;
  layers.forEach((layer, index) => {
    const next = runLayer(layer, x, apply);
    if (x !== input && !kept.has(index - 1)) x.dispose();
    if (branches.some(({ from }) => from === index)) kept.set(index, next);
    x = next;
  });
  return { maps: branches.map(({ from }) => kept.get(from)!), last: x };
}

function runLayer(layer: PlacedLayer, x: Tensor4D, apply: ApplyFilter): Tensor4D {
  if (layer.kind === 'maxPool') return tf.maxPool(x, layer.size, layer.stride, layer.padding);
  if (layer.kind !== 'residual') return apply(layer, x);
  const main = runLayers(layer.main, x, apply);
  const shortcut = runLayers(layer.shortcut, x, apply);
  const output = apply(layer.last, main, shortcut);
  if (main !== x) main.dispose();
  if (shortcut !== x) shortcut.dispose();
  return output;
}
