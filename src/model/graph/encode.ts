import type * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../../engine/graph/graph.js';
import { flattened } from '../../engine/graph/operations.js';
import { traceGraph } from '../../engine/graph/trace.js';
import type { NetworkLayout } from '../layout.js';
import { Network } from '../network.js';
import { addPictures, type PictureForm } from './pictures.js';
import { addWeights } from './weights.js';

/** Names of what a run of the graph is fed and gives. */
export const encodeNodes = {
  images: 'images',
  /** u `[rows, bits]`, then the pooled features `[rows, featureWidth]`, one after the other. */
  outcome: 'outcome',
} as const;

/** `encodeImages` of some rows as one graph. */
export function traceEncode(layout: NetworkLayout, rows: number, form: PictureForm): Graph {
  return traceGraph((tracer) => {
    const { graph } = tracer;
    const network = new Network(layout);
    const { parameters, means, variances } = addWeights(graph, layout, true);
    const bind = (variables: readonly tf.Variable[], values: readonly Value[]) =>
      variables.forEach((variable, index) => {
        tracer.bind(variable, values[index]!);
      });
    bind(network.variables, parameters);
    bind(network.means, means);
    bind(network.variances, variances);
    const { u, pooled } = network.forwardEval(
      tracer.tensor(addPictures(graph, encodeNodes.images, rows, form, layout)) as tf.Tensor4D,
    );
    graph.name(flattened([tracer.value(u), tracer.value(pooled)]), encodeNodes.outcome);
    network.dispose();
  });
}
