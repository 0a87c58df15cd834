import type { Graph, Value } from '../../engine/graph/graph.js';
import {
  add,
  bitcast,
  cast,
  double,
  matrixProduct,
  multiply,
  reshape,
  slice,
  subtract,
  sumOfAll,
} from '../../engine/graph/operations.js';
import type { Feed } from '../../engine/graph/session.js';
import { checkLength } from '../../hashing/error.js';
import { rowTargets } from '../../hashing/similarity.js';
import { type LossInput, lossTerms } from '../loss.js';

/** Placeholder of all that the loss of some rows depends on besides the outputs: float64 values as bytes, in this order. */
const lossHeadScope = (rows: number) => `loss_head_${rows}`;
/** Weight of similarity and quantisation, γ, weights of the distances to positive and erased, Σ of the constants. */
const scalarCount = 5;

/** Placeholder of the derivatives of a known loss by z, float32 `[rows, outputs]`. */
const outputGradientName = (rows: number) => `output_gradient_${rows}`;

/** Outputs of some rows as values of the graph, each `[rows, bits]`; null where the method has no such branch. */
export interface OutputValues {
  readonly anchor: Value;
  readonly positive: Value | null;
  readonly erased: Value | null;
}

export interface HeadValues {
  /** Float64 scalars: similarity, quantisation, positive and augmented term. */
  readonly losses: readonly Value[];
  /** Derivatives by the outputs, float32 `[rows, bits]`. */
  readonly gradients: OutputValues;
}

/** `computeLoss` as operations of a graph, in float64. */
export function addLossHead(graph: Graph, outputs: OutputValues, rows: number, bits: number): HeadValues {
  const length = scalarCount + bits * bits + 2 * rows * bits;
  const bytes = graph.placeholder(lossHeadScope(rows), 'uint8', [length, 8]);
  const input = bitcast(bytes, 'float64', [length]);
  let position = 0;
  const next = (shape: readonly number[], size: number) => {
    const part = reshape(slice(input, [position], [size]), shape);
    position += size;
    return part;
  };
  const scalars = Array.from({ length: scalarCount }, () => next([], 1));
  const [scale, gamma, positiveWeight, erasedWeight, constants] = scalars as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const gram = next([bits, bits], bits * bits);
  const targets = next([rows, bits], rows * bits);
  const ownCodes = next([rows, bits], rows * bits);

  const u = cast(outputs.anchor, 'float64');
  const products = matrixProduct(u, gram);
  const residual = subtract(u, ownCodes);
  const scaled = multiply(double(graph, bits), targets);
  const slope = add(subtract(products, scaled), multiply(gamma, residual));
  // Σ u·(Gu) − 2c u·s = Σ u·(Gu − 2cs)
  const quadratic = subtract(products, multiply(double(graph, 2), scaled));
  const similarity = multiply(scale, add(sumOfAll(multiply(u, quadratic)), constants));
  const quantisation = multiply(scale, multiply(gamma, sumOfAll(multiply(residual, residual))));
  let total = multiply(multiply(double(graph, 2), scale), slope);

  const towards = (other: Value, weight: Value) => {
    const difference = subtract(u, cast(other, 'float64'));
    const pull = multiply(multiply(double(graph, 2), weight), difference);
    total = add(total, pull);
    return {
      term: multiply(weight, sumOfAll(multiply(difference, difference))),
      gradient: cast(subtract(double(graph, 0), pull), 'float32'),
    };
  };
  const positive = outputs.positive && towards(outputs.positive, positiveWeight);
  const erased = outputs.erased && towards(outputs.erased, erasedWeight);
  const nothing = double(graph, 0);
  return {
    losses: [similarity, quantisation, positive?.term ?? nothing, erased?.term ?? nothing],
    gradients: {
      anchor: cast(total, 'float32'),
      positive: positive?.gradient ?? null,
      erased: erased?.gradient ?? null,
    },
  };
}

/**
 * What the head is fed for some rows.
 * @throws HashingError as `similarityHead`
 */
export function lossHeadFeed(input: LossInput): Feed {
  const { batchRows, summary, gamma, alpha, beta, labels, ownCodes } = input;
  const { bits, databaseSize, gram } = summary;
  checkLength('a matrix of own codes', ownCodes.length, labels.length * bits);
  const { targets, constants } = rowTargets(summary, labels);
  const constant = constants.reduce((sum, value) => sum + value, 0);
  const values = new Float64Array(scalarCount + gram.length + targets.length + ownCodes.length);
  const weight = 1 / (batchRows * bits);
  values.set([1 / (batchRows * databaseSize), gamma, alpha * weight, beta * weight, constant]);
  values.set(gram, scalarCount);
  values.set(targets, scalarCount + gram.length);
  values.set(ownCodes, scalarCount + gram.length + targets.length);
  return {
    name: lossHeadScope(labels.length),
    shape: [values.length, 8],
    values: new Uint8Array(values.buffer),
  };
}

/** The derivatives of a known loss by z, and losses of 0. */
export function addKnownLoss(
  graph: Graph,
  rows: number,
  outputs: number,
): { readonly losses: readonly Value[]; readonly gradient: Value } {
  const gradient = graph.placeholder(outputGradientName(rows), 'float32', [rows, outputs]);
  return { losses: lossTerms.map(() => double(graph, 0)), gradient };
}

/** What a known loss is fed for some rows. */
export function outputGradientFeed(outputGradient: Float32Array, rows: number): Feed {
  return {
    name: outputGradientName(rows),
    shape: [rows, outputGradient.length / rows],
    values: outputGradient,
  };
}
