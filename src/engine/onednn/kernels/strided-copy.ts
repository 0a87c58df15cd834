/** An axis of a copy: how many values, and how far apart they are in the source and in the target. */
interface Axis {
  size: number;
  from: number;
  to: number;
}

/** Values from which one call for a whole range is faster than a loop. */
const longRun = 16;

/**
 * Copies an array of `shape` from strided places to strided places. A stride of 0 in the source repeats its values along
 * that axis. Slices, paddings, transposes and broadcasts are such copies.
 * @param sourceStrides distance of neighbours in the source, in values, for each axis
 * @param targetStrides the same in the target
 */
export function copyStrided(
  shape: readonly number[],
  source: Float32Array,
  sourceStrides: readonly number[],
  target: Float32Array,
  targetStrides: readonly number[],
): void {
  if (shape.includes(0)) return;
  const axes = mergedAxes(shape, sourceStrides, targetStrides);
  const last = takeLongRun(axes);
  const copy = (depth: number, from: number, to: number) => {
    if (depth === axes.length) {
      copyRun(last, source, from, target, to);
      return;
    }
    const axis = axes[depth]!;
    for (let i = 0; i < axis.size; i++) copy(depth + 1, from + i * axis.from, to + i * axis.to);
  };
  copy(0, 0, 0);
}

/** Takes the axis of the innermost loop: the last, or the one before it where that makes a short loop long. */
function takeLongRun(axes: Axis[]): Axis {
  const last = axes.pop() ?? { size: 1, from: 1, to: 1 };
  const before = axes.at(-1);
  if (!before || last.size >= longRun || before.size <= last.size) return last;
  axes[axes.length - 1] = last;
  return before;
}

/** Writes the values of a contiguous array of `shape` to a contiguous one whose axis k is the axis `order[k]` of the first. */
export function copyTransposed(
  shape: readonly number[],
  source: Float32Array,
  order: readonly number[],
  target: Float32Array,
): void {
  const strides = stridesOf(shape);
  const turned = order.map((axis) => shape[axis]!);
  const from = order.map((axis) => strides[axis]!);
  copyStrided(turned, source, from, target, stridesOf(turned));
}

/** Distances of neighbours in a contiguous array, in values. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Where the value at `begin` is. */
export function offsetOf(begin: readonly number[], strides: readonly number[]): number {
  return begin.reduce((offset, index, axis) => offset + index * strides[axis]!, 0);
}

function copyRun(axis: Axis, source: Float32Array, from: number, target: Float32Array, to: number): void {
  const { size } = axis;
  if (size >= longRun && axis.to === 1 && axis.from === 1) {
    target.set(source.subarray(from, from + size), to);
  } else if (size >= longRun && axis.to === 1 && axis.from === 0) {
    target.fill(source[from]!, to, to + size);
  } else {
    for (let i = 0; i < size; i++) target[to + i * axis.to] = source[from + i * axis.from]!;
  }
}

/** The axes without those of one value, with neighbours as one axis where both arrays are contiguous across them. */
function mergedAxes(
  shape: readonly number[],
  sourceStrides: readonly number[],
  targetStrides: readonly number[],
): Axis[] {
  const axes: Axis[] = [];
  shape.forEach((size, index) => {
    if (size === 1) return;
    const axis = { size, from: sourceStrides[index]!, to: targetStrides[index]! };
    const previous = axes.at(-1);
    if (previous?.from === axis.from * size && previous.to === axis.to * size) {
      axes[axes.length - 1] = { ...axis, size: previous.size * size };
    } else {
      axes.push(axis);
    }
  });
  return axes;
}
