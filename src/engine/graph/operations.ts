import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value, ValueType } from './graph.js';

/** TensorFlow's operations on a graph's values, for what TF.js has no types or operations for. */

type Arithmetic = 'AddV2' | 'Sub' | 'Mul' | 'RealDiv' | 'Maximum';

function arithmetic(operation: Arithmetic): (a: Value, b: Value) => Value {
  return (a, b) =>
    a.graph.one(
      operation,
      [a, b],
      { type: a.type, shape: broadcast(a, b) },
      { attributes: { T: { type: a.type } } },
    );
}

export const add = arithmetic('AddV2');
export const subtract = arithmetic('Sub');
export const multiply = arithmetic('Mul');
export const divide = arithmetic('RealDiv');
export const maximum = arithmetic('Maximum');

function broadcast(a: Value, b: Value): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
}

/** Whether values are equal, one by one. */
export function equal(a: Value, b: Value): Value {
  return a.graph.one(
    'Equal',
    [a, b],
    { type: 'bool', shape: broadcast(a, b) },
    { attributes: { T: { type: a.type } } },
  );
}

/** The first where the condition holds, else the second. */
export function select(condition: Value, first: Value, second: Value): Value {
  const { type, shape } = first;
  return first.graph.one(
    'SelectV2',
    [condition, first, second],
    { type, shape },
    { attributes: { T: { type } } },
  );
}

export function cast(x: Value, type: ValueType): Value {
  if (x.type === type) return x;
  const attributes = { SrcT: { type: x.type }, DstT: { type } };
  return x.graph.one('Cast', [x], { type, shape: x.shape }, { attributes });
}

/** Float32 values, rounded to the nearest that another type has; ties go to even. */
export function rounded(x: Value, type: 'float32' | 'bfloat16'): Value {
  return cast(cast(x, type), 'float32');
}

/** The same bytes as another type; the shape follows from it. */
export function bitcast(x: Value, type: ValueType, shape: readonly number[]): Value {
  const attributes = { T: { type: x.type }, type: { type } };
  return x.graph.one('Bitcast', [x], { type, shape }, { attributes });
}

export function reshape(x: Value, shape: readonly number[]): Value {
  const attributes = { T: { type: x.type }, Tshape: { type: 'int32' as const } };
  return x.graph.one('Reshape', [x, integers(x.graph, shape)], { type: x.type, shape }, { attributes });
}

type Reduction = 'Sum' | 'Mean' | 'Max' | 'Min';

/** Reduces along axes, which go or, with `keep`, stay with length 1. */
export function reduce(operation: Reduction, x: Value, axes: readonly number[], keep = false): Value {
  const shape = keep
    ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : x.shape.filter((_size, axis) => !axes.includes(axis));
  const attributes = {
    T: { type: x.type },
    Tidx: { type: 'int32' as const },
    keep_dims: { flag: keep },
  };
  return x.graph.one(operation, [x, integers(x.graph, axes)], { type: x.type, shape }, { attributes });
}

/** Sum of all elements `[]` */
export function sumOfAll(x: Value): Value {
  return reduce(
    'Sum',
    x,
    x.shape.map((_size, axis) => axis),
  );
}

export function slice(x: Value, begin: readonly number[], shape: readonly number[]): Value {
  const { graph, type } = x;
  const attributes = { T: { type }, Index: { type: 'int32' as const } };
  return graph.one(
    'Slice',
    [x, integers(graph, begin), integers(graph, shape)],
    { type, shape },
    { attributes },
  );
}

export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values as [Value];
  if (values.length === 1) return first;
  const length = values.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const attributes = {
    N: { integer: values.length },
    T: { type: first.type },
    Tidx: { type: 'int32' as const },
  };
  return first.graph.one(
    'ConcatV2',
    [...values, integer(first.graph, axis)],
    { type: first.type, shape: first.shape.map((size, i) => (i === axis ? length : size)) },
    { attributes },
  );
}

/** All elements of some values, one after another. */
export function flattened(values: readonly Value[]): Value {
  return concat(
    values.map((value) => reshape(value, [elements(value.shape)])),
    0,
  );
}

/** Matrix product `[m, k]` × `[k, n]` */
export function matrixProduct(a: Value, b: Value): Value {
  const shape = [a.shape[0]!, b.shape[1]!];
  return a.graph.one('MatMul', [a, b], { type: a.type, shape }, { attributes: { T: { type: a.type } } });
}

/** What lies at some positions along an axis. */
export function gather(x: Value, positions: Int32Array, axis: number): Value {
  const { graph, type } = x;
  const attributes = {
    Tparams: { type },
    Tindices: { type: 'int32' as const },
    Taxis: { type: 'int32' as const },
  };
  const shape = x.shape.map((size, i) => (i === axis ? positions.length : size));
  return graph.one(
    'GatherV2',
    [x, graph.constant(positions, [positions.length]), integer(graph, axis)],
    { type, shape },
    { attributes },
  );
}

export function pad(x: Value, paddings: readonly (readonly [number, number])[], value: number): Value {
  const { graph, type } = x;
  const attributes = { T: { type }, Tpaddings: { type: 'int32' as const } };
  return graph.one(
    'PadV2',
    [
      x,
      graph.constant(Int32Array.from(paddings.flat()), [paddings.length, 2]),
      graph.constant(Float32Array.of(value), []),
    ],
    { type, shape: x.shape.map((size, axis) => paddings[axis]![0] + size + paddings[axis]![1]) },
    { attributes },
  );
}

export function double(graph: Graph, value: number): Value {
  return graph.constant(Float64Array.of(value), []);
}

export function integer(graph: Graph, value: number): Value {
  return graph.constant(Int32Array.of(value), []);
}

export function integers(graph: Graph, values: readonly number[]): Value {
  return graph.constant(Int32Array.from(values), [values.length]);
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
