import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { areFloats, type NativeKernel, sizeOf } from './kernel.js';
import { copyStrided, copyTransposed, offsetOf, stridesOf } from './strided-copy.js';

const identity: NativeKernel = ({ inputs, backend }) => {
  const x = inputs.x!;
  return x.dtype === 'complex64' ? undefined : backend.alias(x, x.shape);
};

const reshape: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  if (x.dtype === 'complex64') {
    return undefined;
  }
  return backend.alias(x, tf.util.inferFromImplicitShape(attrs.shape as number[], sizeOf(x.shape)));
};

const cast: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  return areFloats(x) && attrs.dtype === 'float32' ? backend.alias(x, x.shape) : undefined;
};

/** A copy, unlike the `cpu` backend's view: the source's array may return to the pool before the slice is disposed. */
const slice: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const [begin, size] = tf.slice_util.parseSliceParams(
    x as tf.Tensor,
    attrs.begin as number[],
    attrs.size as number[],
  ) as [number[], number[]];
  if (!areFloats(x) || sizeOf(size) === 0) {
    return undefined;
  }
  tf.slice_util.assertParamsValid(x, begin, size);
  const y = backend.output(size);
  const strides = stridesOf(x.shape);
  const source = backend.floats(x).subarray(offsetOf(begin, strides));
  copyStrided(size, source, strides, y.values, stridesOf(size));
  return y.info;
};

const pad: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const paddings = attrs.paddings as unknown as readonly [number, number][];
  if (!areFloats(x)) {
    return undefined;
  }
  const y = backend.output(x.shape.map((size, axis) => paddings[axis]![0] + size + paddings[axis]![1]));
  y.values.fill(attrs.constantValue as number);
  const strides = stridesOf(y.info.shape);
  const before = paddings.map(([begin]) => begin);
  const target = y.values.subarray(offsetOf(before, strides));
  copyStrided(x.shape, backend.floats(x), stridesOf(x.shape), target, strides);
  return y.info;
};

const transpose: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const order = attrs.perm as number[];
  if (!areFloats(x)) {
    return undefined;
  }
  const y = backend.output(order.map((axis) => x.shape[axis]!));
  copyTransposed(x.shape, backend.floats(x), order, y.values);
  return y.info;
};

const concat: NativeKernel = ({ inputs, attrs, backend }) => {
  const tensors = Object.values(inputs);
  const first = tensors[0]!;
  const axis = tf.util.parseAxisParam(attrs.axis as number, first.shape)[0]!;
  if (!areFloats(...tensors)) {
    return undefined;
  }
  const shape = tf.backend_util.computeOutShape(
    tensors.map((tensor) => tensor.shape),
    axis,
  );
  const y = backend.output(shape);
  const outer = sizeOf(shape.slice(0, axis));
  const width = sizeOf(shape.slice(axis));
  let column = 0;
  for (const tensor of tensors) {
    const values = backend.floats(tensor);
    const run = sizeOf(tensor.shape.slice(axis));
    for (let row = 0; row < outer; row++) {
      y.values.set(values.subarray(row * run, (row + 1) * run), row * width + column);
    }
    column += run;
  }
  return y.info;
};

/** Repeats adjacent axes of length 1, which is needed to broadcast a reduced tensor back. */
const tile: NativeKernel = ({ inputs, attrs, backend }) => {
  const x: TensorInfo = inputs.x!;
  const reps = attrs.reps as number[];
  const repeated = reps.flatMap((count, axis) => (count === 1 ? [] : [axis]));
  const [first, last] = [repeated[0] ?? 0, repeated.at(-1) ?? -1];
  const between = x.shape.slice(first, last + 1);
  if (!areFloats(x) || between.some((size) => size !== 1) || sizeOf(x.shape) === 0) {
    return undefined;
  }
  const y = backend.output(x.shape.map((size, axis) => size * reps[axis]!));
  const source = backend.floats(x);
  const outer = sizeOf(x.shape.slice(0, first));
  const inner = sizeOf(x.shape.slice(last + 1));
  const middle = sizeOf(reps);
  for (let o = 0; o < outer; o++) {
    const start = o * middle * inner;
    if (inner === 1) {
      y.values.fill(source[o]!, start, start + middle);
      continue;
    }
    y.values.set(source.subarray(o * inner, (o + 1) * inner), start);
    for (let done = 1; done < middle; done *= 2) {
      y.values.copyWithin(start + done * inner, start, start + Math.min(done, middle - done) * inner);
    }
  }
  return y.info;
};

/** Views and rearrangements. */
export const shapeKernels: { [name: string]: NativeKernel } = {
  Identity: identity,
  Reshape: reshape,
  Cast: cast,
  Slice: slice,
  PadV2: pad,
  Transpose: transpose,
  Concat: concat,
  Tile: tile,
};
