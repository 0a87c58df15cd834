import type { Graph, Value } from '../../engine/graph/graph.js';
import { elements, integer, integers, reshape } from '../../engine/graph/operations.js';
import type { Feed } from '../../engine/graph/session.js';
import { afterAll, assign, read, variable } from '../../engine/graph/variables.js';
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
  const values = (vector: Vector, shapes: readonly (readonly number[])[]) => {
    const handles = shapes.map((shape, index) => variable(graph, `${vector}_${index}`, shape));
    set.push(...assignParts(graph, vectors[vector], handles, shapes));
    return handles.map((handle, index) => read(handle, shapes[index]!));
  };
  const weights = {
    parameters: values(
      'parameters',
      layout.parameters.map(({ shape }) => shape),
    ),
    means: statistics ? values('mean', channels) : [],
    variances: statistics ? values('variance', channels) : [],
  };
  afterAll(graph, setWeightsSignature, set);
  return weights;
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

/** Nodes that cut a flat vector into the variables' values. */
function assignParts(
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
  return parts.map((part, index) => assign(handles[index]!, reshape(part, shapes[index]!)));
}
