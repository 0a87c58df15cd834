import type { Graph, Value } from './graph.js';

/** Variables that keep their values in TensorFlow from one run of a graph to the next. */

/** A variable's handle. */
export function variable(graph: Graph, name: string, shape: readonly number[]): Value {
  return graph.one(
    'VarHandleOp',
    [],
    { type: 'resource', shape: [] },
    { name, attributes: { dtype: { type: 'float32' }, shape: { shape }, shared_name: { text: name } } },
  );
}

/** @param after nodes that must have run before */
export function read(handle: Value, shape: readonly number[], after: readonly Value[] = []): Value {
  return handle.graph.one(
    'ReadVariableOp',
    [handle],
    { type: 'float32', shape },
    { attributes: { dtype: { type: 'float32' } }, after },
  );
}

/** Gives a variable a value; the variable shares the value's memory. */
export function assign(handle: Value, value: Value): Value {
  return handle.graph.one('AssignVariableOp', [handle, value], value, {
    attributes: { dtype: { type: 'float32' } },
  });
}

/** variable = variable + value, rounded once */
export function assignSum(handle: Value, value: Value): Value {
  return handle.graph.one('AssignAddVariableOp', [handle, value], value, {
    attributes: { dtype: { type: 'float32' } },
  });
}

/** A node whose run makes others run. */
export function afterAll(graph: Graph, name: string, after: readonly Value[]): void {
  graph.add('Const', [], [{ type: 'float32', shape: [] }], {
    name,
    after,
    attributes: { dtype: { type: 'float32' }, value: { tensor: new Float32Array(1), shape: [] } },
  });
}
