import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../../engine/graph/graph.js';
import { bitcast, cast, concat, flattened, slice } from '../../engine/graph/operations.js';
import { addSums, type Sums } from '../../engine/graph/sums.js';
import { type Tracer, traceGraph } from '../../engine/graph/trace.js';
import { type Method, pairLoss, usesPositives } from '../../methods/methods.js';
import {
  type BatchNormalisation,
  type Branch,
  type ForwardPass,
  forwardPasses,
  momentPasses,
} from '../../methods/passes.js';
import type { WirePrecision } from '../../run/training-run.js';
import type { ErasingSettings } from '../erasing.js';
import { withTerms } from '../fcaenet.js';
import type { NetworkLayout } from '../layout.js';
import { Network, type TrainingFeatures } from '../network.js';
import { addExchange } from './exchange.js';
import { gradientParts, partLength, partValues } from './gradient-parts.js';
import { addKnownLoss, addLossHead, type OutputValues } from './loss-head.js';
import { addPictures, type PictureForm } from './pictures.js';
import { addAttention, addErasing, addErasingMask } from './srem.js';
import { addWeights } from './weights.js';

/** What decides the graph of some microbatches, besides the network. */
export interface MicrobatchShape {
  /** Ascending: the graph computes microbatches of each of these sizes, and sums gradients of all of them. */
  readonly rows: readonly number[];
  readonly method: Method;
  readonly erasing: ErasingSettings;
  readonly batchNormalisation: BatchNormalisation;
  readonly form: PictureForm;
  /** To which gradients and sums are rounded. */
  readonly precision: WirePrecision;
}

export interface MicrobatchGraph {
  readonly graph: Graph;
  /** Values per channel that each BatchNorm sees, for each pass that moves the statistics, by the number of rows. */
  readonly counts: ReadonlyMap<number, readonly (readonly number[])[]>;
  /** Of the gradients, whose values are those of `gradientParts`. */
  readonly sums: Sums;
}

/** Names of what a run for a number of rows is fed and gives. */
export const microbatchNodes = {
  anchors: (rows: number) => `anchors_${rows}`,
  positives: (rows: number) => `positives_${rows}`,
  /**
   * Float32: the losses as halves of float64, u of each pass, then for each pass that moves the running statistics the
   * means of every BatchNorm and the variances of every BatchNorm. A run that gives it makes the gradient the current
   * one of the sums.
   */
  outcome: (rows: number) => `outcome_${rows}`,
  /** Boolean `[rows, height, width]`, where the method erases. */
  mask: (rows: number) => `mask_${rows}`,
} as const;

/**
 * `computeGradient` as one graph: all passes, attention and erasing, the loss, and the backward pass through them. The
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

function runPasses(tracer: Tracer, network: Network, shape: MicrobatchShape, rows: number) {
  const { graph } = tracer;
  const { layout } = network;
  const { method, erasing, form } = shape;
  const images = (name: string) => addPictures(graph, name, rows, form, layout);
  const anchors = images(microbatchNodes.anchors(rows));
  const given: Partial<Record<Branch, Value>> = { anchor: anchors };
  if (usesPositives(method)) given.positive = images(microbatchNodes.positives(rows));
  const exchange = layout.own && addExchange(tracer, layout, rows);
  const passes: TrainingFeatures[] = [];
  for (const pass of forwardPasses(shape)) {
    if (pass.includes('erased')) {
      given.erased = addErasing(anchors, addMask(tracer, passes[0]!, rows, layout, erasing));
    }
    const together = joined(pass.map((branch) => given[branch]!));
    passes.push(network.forwardTrain(tracer.tensor(together) as tf.Tensor4D, exchange));
  }
  const { losses, gradients, by } = addLoss(tracer, shape, passes, rows, layout);
  const { terms } = passes[0]!;
  const moving = passes.slice(0, momentPasses(shape));
  return {
    outcome: [
      ...[...losses, ...terms.map((term) => cast(tracer.value(term), 'float64'))].map((loss) =>
        bitcast(loss, 'float32', [2]),
      ),
      ...by.map((outputs) => tracer.value(outputs)),
      ...moving.flatMap(({ statistics }) => [
        ...statistics.map(({ mean }) => tracer.value(mean)),
        ...statistics.map(({ variance }) => tracer.value(variance)),
      ]),
    ],
    counts: moving.map(({ statistics }) => statistics.map(({ count }) => count)),
    loss: withTerms(
      withGradients(by, () => gradients.map((gradient) => tracer.tensor(gradient))),
      terms,
    ),
  };
}

/** The losses, and the gradients by some outputs of the passes. */
function addLoss(
  { graph, value }: Tracer,
  shape: MicrobatchShape,
  passes: readonly TrainingFeatures[],
  rows: number,
  { bits, outputs: outputCount }: NetworkLayout,
): { readonly losses: readonly Value[]; readonly gradients: readonly Value[]; readonly by: Tensor2D[] } {
  if (pairLoss(shape.method)) {
    const { losses, gradient } = addKnownLoss(graph, rows, outputCount);
    return { losses, gradients: [gradient], by: passes.map(({ linear }) => linear) };
  }
  const by = passes.map(({ u }) => u);
  const branches = forwardPasses(shape);
  const outputs = outputsByBranch(branches, by.map(value), rows, bits);
  const { losses, gradients } = addLossHead(graph, outputs, rows, bits);
  return { losses, gradients: branches.map((pass) => joined(pass.map((branch) => gradients[branch]!))), by };
}

/** Of the outputs of each pass those of each branch. */
function outputsByBranch(
  passes: readonly ForwardPass[],
  outputs: readonly Value[],
  rows: number,
  bits: number,
): OutputValues {
  const found: Partial<Record<Branch, Value>> = {};
  passes.forEach((pass, index) => {
    const whole = outputs[index]!;
    pass.forEach((branch, place) => {
      // Pass 1 is always cut, also where nothing is behind the anchors: the graph's hash is part of a run's identity.
      found[branch] = index === 0 ? slice(whole, [place * rows, 0], [rows, bits]) : whole;
    });
  });
  return { anchor: found.anchor!, positive: found.positive ?? null, erased: found.erased ?? null };
}

function joined(values: readonly Value[]): Value {
  return values.length === 1 ? values[0]! : concat(values, 0);
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
