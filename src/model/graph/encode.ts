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
  /**
   * In eval mode u `[rows, bits]`, the pooled features `[rows, featureWidth]` and the local ones, if there are any,
   * `[parts, rows, featureWidth]`, one after the other. In train mode z `[rows, outputs]`.
   */
  outcome: 'outcome',
} as const;

/** `trainingOutputsAnywhere` of some rows as one graph. */
export function traceTrainingOutputs(layout: NetworkLayout, rows: number, form: PictureForm): Graph {
  return traceGraph((tracer) => {
    const { graph } = tracer;
    const network = new Network(layout);
    const { parameters } = addWeights(graph, layout, false);
    network.variables.forEach((variable, index) => {
      tracer.bind(variable, parameters[index]!);
    });
    const images = addPictures(graph, encodeNodes.images, rows, form, layout);
    const { linear } = network.forwardTrain(tracer.tensor(images) as tf.Tensor4D);
    graph.name(flattened([tracer.value(linear)]), encodeNodes.outcome);
    network.dispose();
  });
}

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
    const { u, pooled, local } = network.forwardEval(
      tracer.tensor(addPictures(graph, encodeNodes.images, rows, form, layout)) as tf.Tensor4D,
    );
    graph.name(
      flattened([u, pooled, ...(local ? [local] : [])].map((tensor) => tracer.value(tensor))),
      encodeNodes.outcome,
    );
    network.dispose();
  });
}
