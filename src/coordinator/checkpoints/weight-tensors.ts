import type { TensorMap } from '../../checkpoint/safetensors.js';
import type { ModelLayout } from '../../model/layout.js';
import { statisticsOf } from '../../model/placement.js';
import type { FlatWeights } from '../dispatch/outgoing-weights.js';

/** Splits a flat vector by parameter. */
export function parameterTensors(layout: ModelLayout, values: Float32Array<ArrayBuffer>): TensorMap {
  return Object.fromEntries(
    layout.parameters.map(({ name, shape, offset, size }) => [
      name,
      { shape: [...shape], data: values.subarray(offset, offset + size) },
    ]),
  );
}

/** Copies the running statistics of every BatchNorm, by the names of weight files. */
export function statisticsTensors(layout: ModelLayout, weights: FlatWeights): TensorMap {
  return Object.fromEntries(
    layout.batchNorms
      .flatMap((batchNorm) => statisticsOf(weights, batchNorm))
      .map(([name, data]) => [name, { shape: [data.length], data }]),
  );
}

/**
 * Joins parameters into a flat vector. Returns a view when they are already contiguous, as in a file of
 * `parameterTensors`.
 */
export function flatVector(layout: ModelLayout, tensors: TensorMap): Float32Array {
  const parts = layout.parameters.map(({ name }) => tensors[name]!.data as Float32Array);
  const { buffer, byteOffset: start } = parts[0]!;
  const isContiguous = layout.parameters.every(
    ({ offset }, index) => parts[index]!.buffer === buffer && parts[index]!.byteOffset === start + 4 * offset,
  );
  if (isContiguous) return new Float32Array(buffer, start, layout.parameterCount);
  const flat = new Float32Array(layout.parameterCount);
  layout.parameters.forEach(({ offset }, index) => {
    flat.set(parts[index]!, offset);
  });
  return flat;
}

/** The weights of a checkpoint. The parameters share memory with the tensors where those are contiguous. */
export function weightsFromTensors(layout: ModelLayout, tensors: TensorMap): FlatWeights {
  const gathered = (nameOf: (place: ModelLayout['batchNorms'][number]) => string) => {
    const values = new Float32Array(layout.statisticsCount);
    for (const place of layout.batchNorms) {
      values.set(tensors[nameOf(place)]!.data as Float32Array, place.offset);
    }
    return values;
  };
  return {
    parameters: flatVector(layout, tensors),
    mean: gathered(({ meanName }) => meanName),
    variance: gathered(({ varianceName }) => varianceName),
  };
}
