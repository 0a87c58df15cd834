import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { OnednnBackend } from '../backend.js';
import { areFloats, type NativeKernel, sameShape, sizeOf } from './kernel.js';
import { copyTransposed } from './strided-copy.js';

const batchMatMul: NativeKernel = ({ inputs, attrs, backend }) => {
  const a = inputs.a!;
  const b = inputs.b!;
  const outerA = a.shape.slice(0, -2);
  const outerB = b.shape.slice(0, -2);
  const countA = sizeOf(outerA);
  const countB = sizeOf(outerB);
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
  const [m, k] = attrs.transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [n, kOfB] = attrs.transposeB ? [rowsB, columnsB] : [columnsB, rowsB];
  const broadcast = !sameShape(outerA, outerB) && countA !== 1 && countB !== 1;
  if (!areFloats(a, b) || broadcast || k !== kOfB || m * n * k * countA * countB === 0) {
    return undefined;
  }
  const outer = outerA.length >= outerB.length && countA >= countB ? outerA : outerB;
  const c = backend.output([...outer, m, n]);
  const matrices = Math.max(countA, countB);
  const shared = countA < matrices ? 1 : countB < matrices ? 2 : 0;
  backend.addon.matMul(
    backend.floats(a),
    backend.floats(b),
    c.values,
    m,
    n,
    k,
    attrs.transposeA ? 1 : 0,
    attrs.transposeB ? 1 : 0,
    matrices,
    shared,
  );
  return c.info;
};

/** Sum or mean over adjacent axes, or sum over others. */
function reduction(mean: boolean): NativeKernel {
  return ({ inputs, attrs, backend }) => {
    const x = inputs.x!;
    const every = x.shape.map((_size, axis) => axis);
    const axes = tf.util.parseAxisParam((attrs.axis ?? every) as number[], x.shape).sort((a, b) => a - b);
    const first = axes[0] ?? 0;
    const sideBySide = axes.every((axis, index) => axis === first + index);
    if (!areFloats(x) || (mean && !sideBySide) || axes.length === 0 || sizeOf(x.shape) === 0) {
      return undefined;
    }
    const shape = attrs.keepDims
      ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
      : x.shape.filter((_size, axis) => !axes.includes(axis));
    const y = backend.output(shape);
    if (!sideBySide) {
      sumApart(x, axes, y.values, backend);
      return y.info;
    }
    const outer = sizeOf(x.shape.slice(0, first));
    const middle = sizeOf(x.shape.slice(first, first + axes.length));
    const inner = sizeOf(x.shape.slice(first + axes.length));
    backend.addon.sumMiddle(backend.floats(x), y.values, outer, middle, inner, mean ? 1 / middle : 1);
    return y.info;
  };
}

/** Sums over axes that are not neighbours, each in the order of the values and in float64, as the `cpu` backend does. */
function sumApart(x: TensorInfo, axes: readonly number[], sums: Float32Array, backend: OnednnBackend): void {
  const kept = x.shape.flatMap((_size, axis) => (axes.includes(axis) ? [] : [axis]));
  const { info, values } = backend.output(x.shape);
  copyTransposed(x.shape, backend.floats(x), [...kept, ...axes], values);
  const count = values.length / sums.length;
  for (let i = 0; i < sums.length; i++) {
    let sum = 0;
    for (let k = i * count; k < (i + 1) * count; k++) sum += values[k]!;
    sums[i] = sum;
  }
  backend.disposeData(info.dataId);
}

/** Matrix products and sums. */
export const linearKernels: { [name: string]: NativeKernel } = {
  BatchMatMul: batchMatMul,
  Sum: reduction(false),
  Mean: reduction(true),
};
