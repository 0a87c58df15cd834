import { describe, expect, it } from 'vitest';
import type { ParameterRole, ParameterSpec } from '../../src/model/layout.js';
import { fromTorchOrder, torchShape, toTorchOrder } from '../../src/model/torch-order.js';

function specOf(role: ParameterRole, shape: number[]): ParameterSpec {
  return { name: role, role, shape, offset: 0, size: shape.reduce((product, extent) => product * extent, 1) };
}

describe("PyTorch's order of a tensor", () => {
  it.each([
    ['filter', [2, 3, 4, 5], [5, 4, 2, 3], ([y, x, i, o]: number[]) => [o, i, y, x]],
    ['depthwiseFilter', [2, 3, 4, 1], [4, 1, 2, 3], ([y, x, c]: number[]) => [c, 0, y, x]],
    ['hashWeight', [4, 5], [5, 4], ([i, o]: number[]) => [o, i]],
    ['scale', [7], [7], (place: number[]) => place],
  ] as const)('of a %s', (role, shape, expected, toTorch) => {
    const spec = specOf(role, [...shape]);
    expect(torchShape(spec)).toEqual(expected);
    const stored = Float32Array.from({ length: spec.size }, (_, i) => i);
    const ours = fromTorchOrder(stored, spec);
    ours.forEach((value, i) => {
      const place = toTorch(placeOf(i, shape)) as number[];
      expect(value).toBe(place.reduce((index, extent, axis) => index * expected[axis]! + extent, 0));
    });
    expect(toTorchOrder(ours, spec)).toEqual(stored);
  });
});

/** Row-major place of element `index`. */
function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return place;
}
