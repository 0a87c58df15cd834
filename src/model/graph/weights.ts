import type { Graph, Value } from '../../engine/graph/graph.js';
import { elements, integer, integers, reshape } from '../../engine/graph/operations.js';
import type { Feed } from '../../engine/graph/session.js';
import type { NetworkWeights } from '../initial.js';
import type { NetworkLayout } from '../layout.js';

/** Node whose run gives the variables new values. */
export const setWeightsSignature = 'set_weights';

/** Placeholders of the flat vectors, and where each tensor lies in them. */
const vectors = { parameters: 'parameters', mean: 'running_means', variance: 'running_variances' } as const;
type Vector = keyof typeof vectors;

/** What the variables of a network hold, in layout order. */
export interface WeightValues {
  readonly parameters: readonly Value[];
  /** Running statistics; empty where they were not asked for. */
  readonly means: readonly Value[];
  readonly variances: readonly Value[];
}

/**
 * Adds a variable for each of a network's tensors, and the node that sets them all from flat vectors.
 * @param statistics whether the running statistics are among them
 */
export function addWeights(graph: Graph, layout: NetworkLayout, statistics: boolean): WeightValues {
  const channels = layout.batchNorms.map(({ channels }) => [channels]);
  const set: Value[] = [];
  const read = (vector: Vector, shapes: readonly (readonly number[])[]) => {
    const handles = shapes.map((shape, index) => variable(graph, `${vector}_${index}`, shape));
    set.push(...assign(graph, vectors[vector], handles, shapes));
    return handles.map((handle, index) =>
      graph.one(
        'ReadVariableOp',
        [handle],
        { type: 'float32', shape: shapes[index]! },
        { attributes: { dtype: { type: 'float32' } } },
      ),
    );
  };
  const values = {
    parameters: read(
      'parameters',
      layout.parameters.map(({ shape }) => shape),
    ),
    means: statistics ? read('mean', channels) : [],
    variances: statistics ? read('variance', channels) : [],
  };
  graph.add('Const', [], [{ type: 'float32', shape: [] }], {
    name: setWeightsSignature,
    after: set,
    attributes: {
      dtype: { type: 'float32' },
      value: { tensor: new Float32Array(1), shape: [] },
    },
  });
  return values;
}

/** What a run of `setWeightsSignature` is fed. */
export function weightFeeds(weights: NetworkWeights, statistics: boolean): Feed[] {
  const names: readonly Vector[] = statistics ? ['parameters', 'mean', 'variance'] : ['parameters'];
  return names.map((vector) => ({
    name: vectors[vector],
    shape: [weights[vector].length],
    values: weights[vector],
  }));
}

function variable(graph: Graph, name: string, shape: readonly number[]): Value {
  return graph.one(
    'VarHandleOp',
    [],
    { type: 'resource', shape: [] },
    { name, attributes: { dtype: { type: 'float32' }, shape: { shape }, shared_name: { text: name } } },
  );
}

/** Nodes that cut a flat vector into the variables' values. */
function assign(
  graph: Graph,
  name: string,
  handles: readonly Value[],
  shapes: readonly (readonly number[])[],
): Value[] {
  const sizes = shapes.map(elements);
  const flat = graph.placeholder(name, 'float32', [sizes.reduce((sum, size) => sum + size, 0)]);
  // Its parts are copies, so that no variable looks into the memory that was fed.
  const parts = graph.add(
    'SplitV',
    [flat, integers(graph, sizes), integer(graph, 0)],
    sizes.map((size) => ({ type: 'float32', shape: [size] })),
    {
      attributes: { num_split: { integer: sizes.length }, T: { type: 'float32' }, Tlen: { type: 'int32' } },
    },
  );
  return parts.map((part, index) => {
    const value = reshape(part, shapes[index]!);
    return graph.one('AssignVariableOp', [handles[index]!, value], value, {
      attributes: { dtype: { type: 'float32' } },
    });
  });
}
