import * as tf from '@tensorflow/tfjs-core';
import { concat, integers, pad, reduce, reshape, slice } from '../operations.js';
import { floats, floatType, type GraphKernel } from './kernel.js';

function reduction(operation: 'Sum' | 'Mean' | 'Max'): GraphKernel {
  return ({ inputs, attrs }) => {
    const { x } = inputs;
    const axes = tf.util.parseAxisParam((attrs.axis ?? attrs.reductionIndices) as number[], [...x!.shape]);
    return reduce(operation, x!, axes, Boolean(attrs.keepDims));
  };
}

const matrixProduct: GraphKernel = ({ inputs, attrs, graph }) => {
  const { a, b } = inputs;
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  const rows = a!.shape.at(transposeA ? -1 : -2)!;
  const columns = b!.shape.at(transposeB ? -2 : -1)!;
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return graph.one('BatchMatMulV2', [a!, b!], floats([...outer, rows, columns]), {
    attributes: { ...floatType, adj_x: { flag: transposeA }, adj_y: { flag: transposeB } },
  });
};

const tile: GraphKernel = ({ inputs, attrs, graph }) => {
  const { x } = inputs;
  const repetitions = attrs.reps as number[];
  const shape = x!.shape.map((size, axis) => size * repetitions[axis]!);
  return graph.one('Tile', [x!, integers(graph, repetitions)], floats(shape), {
    attributes: { ...floatType, Tmultiples: { type: 'int32' } },
  });
};

const part: GraphKernel = ({ inputs, attrs }) => {
  const { x } = inputs;
  const [begin, size] = tf.slice_util.parseSliceParams(
    { shape: x!.shape } as tf.Tensor,
    attrs.begin as number[],
    attrs.size as number[],
  );
  return slice(x!, begin!, size!);
};

/** Reductions, products of matrices, and what changes a shape. */
export const shapeKernels: { readonly [name: string]: GraphKernel } = {
  [tf.Sum]: reduction('Sum'),
  [tf.Mean]: reduction('Mean'),
  [tf.Max]: reduction('Max'),
  [tf.BatchMatMul]: matrixProduct,
  [tf.Tile]: tile,
  [tf.Slice]: part,
  [tf.Concat]: ({ inputs, attrs }) => concat(Object.values(inputs), attrs.axis as number),
  [tf.PadV2]: ({ inputs, attrs }) =>
    pad(inputs.x!, attrs.paddings as [number, number][], attrs.constantValue as number),
  [tf.Reshape]: ({ inputs, attrs }) =>
    reshape(
      inputs.x!,
      tf.util.inferFromImplicitShape(attrs.shape as number[], tf.util.sizeFromShape([...inputs.x!.shape])),
    ),
};
