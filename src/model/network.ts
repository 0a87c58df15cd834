import type { Tensor, Tensor1D, Tensor2D, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { batchNormAddRelu, batchNormTrain } from '../engine/batch-norm.js';
import { widen } from '../transport/widen.js';
import type { BatchNormMoments } from './batch-norm-moments.js';
import { checkElements } from './error.js';
import { hashFeatures } from './heads/hash-features.js';
import type { Branch } from './heads/place.js';
import type { NetworkWeights } from './initial.js';
import type { NetworkLayout, PlacedFilterLayer, PlacedLayer } from './layout.js';
import type { WireWeights } from './wire-weights.js';

/** Results of a forward pass. The caller owns the tensors. */
export interface Features {
  /** Last feature map `[rows, height, width, featureWidth]` */
  readonly featureMap: Tensor4D;
  /** Its mean over height and width `[rows, featureWidth]` */
  readonly pooled: Tensor2D;
  /** z = W f + b `[rows, bits]` */
  readonly linear: Tensor2D;
  /** u = tanh(z) `[rows, bits]` (equation 2) */
  readonly u: Tensor2D;
}

/** Moments of one BatchNorm's input in one forward pass. */
interface Statistics {
  readonly count: number;
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
}

export interface TrainingFeatures extends Features {
  /** In layout order; biased variances. */
  readonly statistics: readonly Statistics[];
}

/**
 * Convolution, BatchNorm and activation. With a shortcut: relu of the sum of the BatchNorm's output and the shortcut.
 */
type ApplyFilter = (layer: PlacedFilterLayer, x: Tensor4D, shortcut?: Tensor4D) => Tensor4D;

/** One network's weights on the current engine, and its computation in train and eval mode. */
export class Network {
  /** The values of all variables. */
  readonly weights: NetworkWeights;
  /** Rises whenever they change. */
  weightsVersion = 0;
  private readonly own: { readonly [name in 'variables' | 'means' | 'variances']: readonly Variable[] };
  /** Version of the weights in the variables. */
  private variablesVersion = 0;
  private readonly releases: (() => void)[] = [];

  constructor(readonly layout: NetworkLayout) {
    this.weights = {
      parameters: new Float32Array(layout.parameterCount),
      mean: new Float32Array(layout.statisticsCount),
      variance: new Float32Array(layout.statisticsCount),
    };
    const { parameters, mean, variance } = this.weights;
    const perChannel = layout.batchNorms.map(({ offset, channels }) => ({ offset, shape: [channels] }));
    this.own = {
      variables: layout.parameters.map((place) => variableOver(parameters, place, true)),
      means: perChannel.map((place) => variableOver(mean, place, false)),
      variances: perChannel.map((place) => variableOver(variance, place, false)),
    };
  }

  /** One per parameter, in layout order. */
  get variables(): readonly Variable[] {
    return this.current().variables;
  }

  /** Running means, one per BatchNorm. */
  get means(): readonly Variable[] {
    return this.current().means;
  }

  /** Running variances, one per BatchNorm. */
  get variances(): readonly Variable[] {
    return this.current().variances;
  }

  /** Copies these weights, in layout order. */
  setWeights(weights: WireWeights): void {
    const own = this.weights;
    checkElements('A parameter vector', weights.parameters.length, own.parameters.length);
    checkElements('A vector of running means', weights.mean.length, own.mean.length);
    checkElements('A vector of running variances', weights.variance.length, own.variance.length);
    if (weights.parameters instanceof Uint16Array) widen(weights.parameters, own.parameters);
    else own.parameters.set(weights.parameters);
    own.mean.set(weights.mean);
    own.variance.set(weights.variance);
    this.weightsVersion++;
  }

  /**
   * Train mode: every BatchNorm normalises with the moments of `images` `[rows, height, width, 3]`. Differentiable with
   * respect to the variables.
   */
  forwardTrain(images: Tensor4D): TrainingFeatures {
    const { layout, variables } = this;
    const statistics: Statistics[] = [];
    const features = this.forward(images, (layer, x, shortcut) => {
      const filtered = convolve(layer, x, variables[layer.filter] as unknown as Tensor4D);
      const scale = variables[layer.scale] as unknown as Tensor1D;
      const offset = variables[layer.offset] as unknown as Tensor1D;
      const { output, mean, variance } = shortcut
        ? batchNormAddRelu(filtered, scale, offset, layout.epsilon, shortcut)
        : batchNormTrain(filtered, scale, offset, layout.epsilon, layer.activation);
      statistics[layer.statistics] = { count: filtered.size / mean.size, mean, variance };
      filtered.dispose();
      return output;
    });
    return { ...features, statistics };
  }

  /** Eval mode: every BatchNorm normalises with its running statistics. */
  forwardEval(images: Tensor4D): Features {
    const { layout, variables, means, variances } = this;
    return this.forward(images, (layer, x, shortcut) => {
      const filtered = convolve(layer, x, variables[layer.filter] as unknown as Tensor4D);
      const normalised = tf.batchNorm(
        filtered,
        means[layer.statistics] as unknown as Tensor1D,
        variances[layer.statistics] as unknown as Tensor1D,
        variables[layer.offset] as unknown as Tensor1D,
        variables[layer.scale] as unknown as Tensor1D,
        layout.epsilon,
      );
      filtered.dispose();
      if (shortcut) {
        const sum = tf.add<Tensor4D>(normalised, shortcut);
        normalised.dispose();
        return disposing(sum, tf.relu);
      }
      if (layer.activation === 'none') return normalised;
      return disposing(normalised, layer.activation === 'relu' ? tf.relu : tf.relu6);
    });
  }

  /** Has `release` called when the network is disposed. */
  onDispose(release: () => void): void {
    this.releases.push(release);
  }

  dispose(): void {
    for (const release of this.releases) release();
    for (const variable of Object.values(this.own).flat()) variable.dispose();
  }

  /** The variables with the current weights: an engine that takes the weights in one piece never asks for them. */
  private current() {
    const { own, weights, layout, weightsVersion } = this;
    if (this.variablesVersion === weightsVersion) return own;
    this.variablesVersion = weightsVersion;
    own.variables.forEach((variable, index) => {
      refresh(variable, weights.parameters, layout.parameters[index]!.offset);
    });
    layout.batchNorms.forEach(({ offset }, index) => {
      refresh(own.means[index]!, weights.mean, offset);
      refresh(own.variances[index]!, weights.variance, offset);
    });
    return own;
  }

  private forward(images: Tensor4D, apply: ApplyFilter): Features {
    const { layers, head, parameters } = this.layout;
    const { maps, last: featureMap } = runTrunk(layers, images, head.branches, apply);
    const branches = head.branches.map((branch, index) => runLayers(branch.layers, maps[index]!, apply));
    const [weight, bias] = this.variables.slice(parameters.length - 2);
    const pooled = tf.mean<Tensor2D>(featureMap, [1, 2]);
    const linear = tf.tidy(() => {
      const features = hashFeatures(head.name, { pooled, branches });
      return tf.add<Tensor2D>(tf.matMul(features, weight as unknown as Tensor2D), bias!);
    });
    for (const tensor of new Set([...maps, ...branches])) if (tensor !== featureMap) tensor.dispose();
    return { featureMap, pooled, linear, u: tf.tanh(linear) };
  }
}

/** A variable that is a view of the flat vector `values`. */
function variableOver(
  values: Float32Array,
  place: { readonly offset: number; readonly shape: readonly number[] },
  trainable: boolean,
): Variable {
  return tf.tidy(() => tf.variable(viewOf(values, place.offset, place.shape), trainable));
}

/** Updates a variable after its values changed: an engine may hold its own copy, so it needs a new tensor. */
function refresh(variable: Variable, values: Float32Array, offset: number): void {
  tf.tidy(() => variable.assign(viewOf(values, offset, variable.shape)));
}

function viewOf(values: Float32Array, offset: number, shape: readonly number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tf.tensor(values.subarray(offset, offset + size), [...shape], 'float32');
}

/** Moments of one BatchNorm's input, read from the engine. */
export interface ReadStatistics {
  readonly count: number;
  /** `[channels]` */
  readonly mean: ArrayLike<number>;
  /** Biased `[channels]` */
  readonly variance: ArrayLike<number>;
}

/** For every BatchNorm, in layout order. */
type ReadPass = readonly ReadStatistics[];

/** Copies the moments of one or two forward passes out of the engine. */
export function readMoments(
  layout: NetworkLayout,
  passes: readonly [TrainingFeatures] | readonly [TrainingFeatures, TrainingFeatures],
): BatchNormMoments {
  const [first, second] = passes;
  return momentsOf(layout, second ? [readPass(first), readPass(second)] : [readPass(first)]);
}

function readPass({ statistics }: TrainingFeatures): ReadPass {
  return statistics.map(({ count, mean, variance }) => ({
    count,
    mean: mean.dataSync(),
    variance: variance.dataSync(),
  }));
}

/** The moments of one or two forward passes that were read already. */
export function momentsOf(layout: NetworkLayout, passes: readonly ReadPass[]): BatchNormMoments {
  const counts = new Float64Array(passes.length * layout.batchNorms.length);
  const mean = new Float64Array(passes.length * layout.statisticsCount);
  const squaredDeviations = new Float64Array(mean.length);
  passes.forEach((statistics, pass) => {
    statistics.forEach((layer, index) => {
      const { offset, channels } = layout.batchNorms[index]!;
      const begin = pass * layout.statisticsCount + offset;
      counts[pass * layout.batchNorms.length + index] = layer.count;
      mean.set(layer.mean, begin);
      for (let i = 0; i < channels; i++) squaredDeviations[begin + i] = layer.variance[i]! * layer.count;
    });
  });
  return { passes: passes.length === 2 ? 2 : 1, counts, mean, squaredDeviations };
}

/** Runs layers one after another. Each result is released when the next is computed. The caller still owns `input`. */
function runLayers(layers: readonly PlacedLayer[], input: Tensor4D, apply: ApplyFilter): Tensor4D {
  return runTrunk(layers, input, [], apply).last;
}

/** The same, and keeps the results that branches begin from, in their order. */
function runTrunk(
  layers: readonly PlacedLayer[],
  input: Tensor4D,
  branches: readonly Branch[],
  apply: ApplyFilter,
): { readonly maps: readonly Tensor4D[]; readonly last: Tensor4D } {
  const kept = new Map<number, Tensor4D>();
  let x = input;
  layers.forEach((layer, index) => {
    const next = runLayer(layer, x, apply);
    if (x !== input && !kept.has(index - 1)) x.dispose();
    if (branches.some(({ from }) => from === index)) kept.set(index, next);
    x = next;
  });
  return { maps: branches.map(({ from }) => kept.get(from)!), last: x };
}

function runLayer(layer: PlacedLayer, x: Tensor4D, apply: ApplyFilter): Tensor4D {
  if (layer.kind === 'maxPool') return tf.maxPool(x, layer.size, layer.stride, layer.padding);
  if (layer.kind !== 'residual') return apply(layer, x);
  const main = runLayers(layer.main, x, apply);
  const shortcut = runLayers(layer.shortcut, x, apply);
  const output = apply(layer.last, main, shortcut);
  if (main !== x) main.dispose();
  if (shortcut !== x) shortcut.dispose();
  return output;
}

/** Returns f(x) and releases x. */
function disposing(x: Tensor4D, f: (x: Tensor4D) => Tensor4D): Tensor4D {
  const y = f(x);
  x.dispose();
  return y;
}

function convolve(layer: PlacedFilterLayer, x: Tensor4D, filter: Tensor4D): Tensor4D {
  return layer.kind === 'convolution'
    ? tf.conv2d(x, filter, layer.stride, layer.padding)
    : tf.depthwiseConv2d(x, filter, layer.stride, layer.padding);
}
