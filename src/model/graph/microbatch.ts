import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../../engine/graph/graph.js';
import { bitcast, cast, concat, flattened, slice } from '../../engine/graph/operations.js';
import { addSums, type Sums } from '../../engine/graph/sums.js';
import { type Tracer, traceGraph } from '../../engine/graph/trace.js';
import { type Method, pairLoss, usesErasing, usesPositives } from '../../methods/methods.js';
import type { WirePrecision } from '../../run/training-run.js';
import type { ErasingSettings } from '../erasing.js';
import type { NetworkLayout } from '../layout.js';
import { withTerms } from '../fcaenet.js';
import { Network, type TrainingFeatures } from '../network.js';
import { addExchange } from './exchange.js';
import { gradientParts, partLength, partValues } from './gradient-parts.js';
import { addKnownLoss, addLossHead } from './loss-head.js';
import { addPictures, type PictureForm } from './pictures.js';
import { addAttention, addErasing, addErasingMask } from './srem.js';
import { addWeights } from './weights.js';

/** What decides the graph of some microbatches, besides the network. */
export interface MicrobatchShape {
  /** Ascending: the graph computes microbatches of each of these sizes, and sums gradients of all of them. */
  readonly rows: readonly number[];
  readonly method: Method;
  readonly erasing: ErasingSettings;
  readonly form: PictureForm;
  /** To which gradients and sums are rounded. */
  readonly precision: WirePrecision;
}

export interface MicrobatchGraph {
  readonly graph: Graph;
  /** Values per channel that each BatchNorm sees, for each pass, by the number of rows. */
  readonly counts: ReadonlyMap<number, readonly (readonly number[])[]>;
  /** Of the gradients, whose values are those of `gradientParts`. */
  readonly sums: Sums;
}

/** Names of what a run for a number of rows is fed and gives. */
export const microbatchNodes = {
  anchors: (rows: number) => `anchors_${rows}`,
  positives: (rows: number) => `positives_${rows}`,
  /**
   * Float32: the losses as halves of float64, u of pass 1, u of pass 2, then per pass the means of every BatchNorm
   * and the variances of every BatchNorm. A run that gives it makes the gradient the current one of the sums.
   */
  outcome: (rows: number) => `outcome_${rows}`,
  /** Boolean `[rows, height, width]`, where the method erases. */
  mask: (rows: number) => `mask_${rows}`,
} as const;

/**
 * `computeGradient` as one graph: both passes, attention and erasing, the loss, and the backward pass through both. The
 * gradient stays in TensorFlow.
 */
export function traceMicrobatch(layout: NetworkLayout, shape: MicrobatchShape): MicrobatchGraph {
  const counts = new Map<number, number[][]>();
  let sums: Sums | undefined;
  const graph = traceGraph((tracer) => {
    const { graph } = tracer;
    const network = new Network(layout);
    const { parameters } = addWeights(graph, layout, false);
    network.variables.forEach((variable, index) => {
      tracer.bind(variable, parameters[index]!);
    });
    const parts = gradientParts(layout);
    sums = addSums(
      graph,
      parts.map((part) => [partLength(layout, part)]),
      shape.precision,
    );
    for (const rows of shape.rows) {
      let outcome: Value[] = [];
      const { grads } = tf.variableGrads(() => {
        const passes = runPasses(tracer, network, shape, rows);
        outcome = passes.outcome;
        counts.set(rows, passes.counts);
        return passes.loss;
      }, [...network.variables]);
      const derivatives = network.variables.map(({ name }) => tracer.value(grads[name]!));
      const taken = sums.take(partValues(parts, derivatives));
      graph.name(flattened(outcome), microbatchNodes.outcome(rows), taken);
    }
    network.dispose();
  });
  return { graph, counts, sums: sums! };
}

function runPasses(
  tracer: Tracer,
  network: Network,
  { method, erasing, form }: MicrobatchShape,
  rows: number,
) {
  const { graph } = tracer;
  const { layout } = network;
  const images = (name: string) => addPictures(graph, name, rows, form, layout);
  const anchors = images(microbatchNodes.anchors(rows));
  const positives = usesPositives(method) && images(microbatchNodes.positives(rows));
  const firstImages = positives ? concat([anchors, positives], 0) : anchors;
  const exchange = layout.own && addExchange(tracer, layout, rows);
  const first = network.forwardTrain(tracer.tensor(firstImages) as tf.Tensor4D, exchange);
  const passes = [first];
  if (usesErasing(method)) {
    const mask = addMask(tracer, first, rows, layout, erasing);
    passes.push(network.forwardTrain(tracer.tensor(addErasing(anchors, mask)) as tf.Tensor4D));
  }
  const { losses, gradients, by } = addLoss(tracer, method, passes, rows, layout);
  return {
    outcome: [
      ...[...losses, ...first.terms.map((term) => cast(tracer.value(term), 'float64'))].map((loss) =>
        bitcast(loss, 'float32', [2]),
      ),
      ...by.map((outputs) => tracer.value(outputs)),
      ...passes.flatMap(({ statistics }) => [
        ...statistics.map(({ mean }) => tracer.value(mean)),
        ...statistics.map(({ variance }) => tracer.value(variance)),
      ]),
    ],
    counts: passes.map(({ statistics }) => statistics.map(({ count }) => count)),
    loss: withTerms(
      withGradients(by, () => gradients.map((gradient) => tracer.tensor(gradient))),
      first.terms,
    ),
  };
}

/** The losses, and the gradients by some outputs of the passes. */
function addLoss(
  { graph, value }: Tracer,
  method: Method,
  passes: readonly TrainingFeatures[],
  rows: number,
  { bits, outputs: outputCount }: NetworkLayout,
): { readonly losses: readonly Value[]; readonly gradients: readonly Value[]; readonly by: Tensor2D[] } {
  if (pairLoss(method)) {
    const { losses, gradient } = addKnownLoss(graph, rows, outputCount);
    return { losses, gradients: [gradient], by: passes.map(({ linear }) => linear) };
  }
  const by = passes.map(({ u }) => u);
  const [both, erased = null] = by.map(value) as [Value, Value?];
  const part = (index: number) => slice(both, [index * rows, 0], [rows, bits]);
  const outputs = { anchor: part(0), positive: usesPositives(method) ? part(1) : null, erased };
  const { losses, gradients } = addLossHead(graph, outputs, rows, bits);
  const first = gradients.positive ? concat([gradients.anchor, gradients.positive], 0) : gradients.anchor;
  return { losses, gradients: gradients.erased ? [first, gradients.erased] : [first], by };
}

function addMask(
  tracer: Tracer,
  { featureMap }: TrainingFeatures,
  rows: number,
  layout: NetworkLayout,
  erasing: ErasingSettings,
): Value {
  const map = tracer.value(featureMap);
  const [, height = 0, width = 0, channels = 0] = map.shape;
  const anchorMap = slice(map, [0, 0, 0, 0], [rows, height, width, channels]);
  const mask = addErasingMask(addAttention(anchorMap, layout), erasing);
  return tracer.graph.name(mask, microbatchNodes.mask(rows));
}

/** A loss whose derivatives by the outputs are known; nobody looks at its value. */
function withGradients(outputs: Tensor2D[], gradFunc: () => Tensor[]): tf.Scalar {
  const loss = tf.customGrad(() => ({ value: tf.scalar(0), gradFunc }));
  return loss(...outputs) as tf.Scalar;
}
