import type { ParameterSpec } from './layout.js';

/**
 * The shape in which PyTorch stores a parameter: filters `[out, in, height, width]`, depthwise filters
 * `[channels, 1, height, width]`, linear weights `[out, in]`, all else as here.
 */
export function torchShape(spec: ParameterSpec): number[] {
  const axes = torchAxes(spec);
  return axes.map((axis) => spec.shape[axis]!);
}

/** Puts a parameter's values from PyTorch's order into ours. */
export function fromTorchOrder(values: Float32Array, spec: ParameterSpec): Float32Array<ArrayBuffer> {
  const shape = torchShape(spec);
  const strides = stridesOf(shape);
  const axes = torchAxes(spec);
  // How far one step along each of our axes moves in PyTorch's array.
  const steps = spec.shape.map((_extent, axis) => strides[axes.indexOf(axis)]!);
  const result = new Float32Array(spec.size);
  const place = spec.shape.map(() => 0);
  for (let target = 0, source = 0; target < result.length; target++) {
    result[target] = values[source]!;
    for (let axis = place.length - 1; axis >= 0; axis--) {
      place[axis]!++;
      source += steps[axis]!;
      if (place[axis]! < spec.shape[axis]!) break;
      source -= steps[axis]! * spec.shape[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}

/** Our axis that stands at each place in PyTorch's shape. */
function torchAxes(spec: ParameterSpec): number[] {
  switch (spec.role) {
    case 'filter':
      return [3, 2, 0, 1];
    case 'depthwiseFilter':
      return [2, 3, 0, 1];
    case 'hashWeight':
      return [1, 0];
    default:
      return [0];
  }
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}
