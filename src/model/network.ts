import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { batchNormAddRelu, batchNormTrain } from '../engine/batch-norm.js';
import type { PassCount } from '../methods/passes.js';
import { widen } from '../transport/widen.js';
import type { BatchNormMoments } from './batch-norm-moments.js';
import { checkElements } from './error.js';
import {
  type ExchangeTensors,
  exchangeFeatures,
  hashLocalFeatures,
  type LocalFeatures,
  localFeatures,
} from './exchnet/local-features.js';
import { hashFeatures } from './heads/hash-features.js';
import { attended } from './heads/saliency.js';
import type { NetworkWeights } from './initial.js';
import type { NetworkLayout, PlacedFilterLayer, PlacedLayer } from './layout.js';
import { type ApplyFilter, runLayers, runTrunk } from './run-layers.js';
import type { WireWeights } from './wire-weights.js';

/** Results of a forward pass. The caller owns the tensors. */
export interface Features {
  /** Last feature map `[rows, height, width, featureWidth]` */
  readonly featureMap: Tensor4D;
  /** Its mean over height and width `[rows, featureWidth]` */
  readonly pooled: Tensor2D;
  /** z = W f + b `[rows, bits]`; in train mode `[rows, outputs]` */
  readonly linear: Tensor2D;
  /** u = tanh(z), of its shape (equation 2) */
  readonly u: Tensor2D;
  /** Local features before an exchange `[parts, rows, featureWidth]`; null where the network has none. */
  readonly local: Tensor3D | null;
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
  /** The terms of the loss that the network adds, this microbatch's part. */
  readonly terms: readonly Scalar[];
}

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
    checkElements('a parameter vector', weights.parameters.length, own.parameters.length);
    checkElements('a vector of running means', weights.mean.length, own.mean.length);
    checkElements('a vector of running variances', weights.variance.length, own.variance.length);
    if (weights.parameters instanceof Uint16Array) widen(weights.parameters, own.parameters);
    else own.parameters.set(weights.parameters);
    own.mean.set(weights.mean);
    own.variance.set(weights.variance);
    this.weightsVersion++;
  }

  /**
   * Train mode: every BatchNorm normalises with the moments of `images` `[rows, height, width, 3]`. Differentiable with
   * respect to the variables.
   * @param exchange what local features are exchanged with; null where the network has none
   */
  forwardTrain(images: Tensor4D, exchange: ExchangeTensors | null = null): TrainingFeatures {
    const { layout, variables } = this;
    const statistics: Statistics[] = [];
    let terms: readonly Scalar[] = [];
    const exchanged = (local: LocalFeatures) => {
      if (!exchange) return local.pooled;
      const result = exchangeFeatures(local, exchange);
      terms = result.terms;
      return result.features;
    };
    const apply: ApplyFilter = (layer, x, shortcut) => {
      const filtered = convolve(layer, x, variables[layer.filter] as unknown as Tensor4D);
      const scale = variables[layer.scale] as unknown as Tensor1D;
      const offset = variables[layer.offset] as unknown as Tensor1D;
      const { output, mean, variance } = shortcut
        ? batchNormAddRelu(filtered, scale, offset, layout.epsilon, shortcut)
        : batchNormTrain(filtered, scale, offset, layout.epsilon, layer.activation);
      statistics[layer.statistics] = { count: filtered.size / mean.size, mean, variance };
      filtered.dispose();
      return output;
    };
    const { attention } = layout.head;
    if (!attention) return { ...this.forward(images, exchanged, apply), statistics, terms };
    // A BatchNorm batch of their own: statistics that stay are those of attended pictures, which evaluation sees.
    const whole = this.forward(images, exchanged, apply);
    const { linear, ...features } = this.forward(this.attended(attention, images, apply), exchanged, apply);
    const outputs = tf.concat<Tensor2D>([linear, whole.linear], 1);
    return { ...features, linear: outputs, u: tf.tanh(outputs), statistics, terms };
  }

  /** Eval mode: every BatchNorm normalises with its running statistics. */
  forwardEval(images: Tensor4D): Features {
    const { layout, variables, means, variances } = this;
    const own = ({ pooled }: LocalFeatures) => pooled;
    const apply: ApplyFilter = (layer, x, shortcut) => {
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
    };
    const { attention } = layout.head;
    return this.forward(attention ? this.attended(attention, images, apply) : images, own, apply);
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

  private attended(layers: readonly PlacedLayer[], images: Tensor4D, apply: ApplyFilter): Tensor4D {
    return attended(images, runLayers(layers, images, apply));
  }

  /** @param exchanged what the hash layer takes of the local features, where the network has some */
  private forward(
    images: Tensor4D,
    exchanged: (local: LocalFeatures) => Tensor3D,
    apply: ApplyFilter,
  ): Features {
    const { layers, head, own, parameters } = this.layout;
    const from = own ? [{ from: own.shared - 1, layers: [] }] : head.branches;
    const { maps, last: featureMap } = runTrunk(layers, images, from, apply);
    const branches = from.map((branch, index) => runLayers(branch.layers, maps[index]!, apply));
    const [weight, bias] = this.variables.slice(parameters.length - 2) as unknown as [Tensor2D, Tensor1D];
    const pooled = tf.mean<Tensor2D>(featureMap, [1, 2]);
    const local = own && localFeatures(own, branches[0]!, apply);
    const hashed = local && exchanged(local);
    const linear = tf.tidy(() => {
      const product = hashed
        ? hashLocalFeatures(hashed, pooled, weight)
        : tf.matMul(hashFeatures(head.name, { pooled, branches }), weight);
      return tf.add<Tensor2D>(product, bias);
    });
    for (const tensor of new Set([...maps, ...branches])) if (tensor !== featureMap) tensor.dispose();
    return { featureMap, pooled, linear, u: tf.tanh(linear), local: local?.pooled ?? null };
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

/** Copies the moments of some forward passes, one at least, out of the engine. */
export function readMoments(layout: NetworkLayout, passes: readonly TrainingFeatures[]): BatchNormMoments {
  return momentsOf(layout, passes.map(readPass));
}

function readPass({ statistics }: TrainingFeatures): ReadPass {
  return statistics.map(({ count, mean, variance }) => ({
    count,
    mean: mean.dataSync(),
    variance: variance.dataSync(),
  }));
}

/** The moments of some forward passes, one at least, that were read already. */
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
  return { passes: passes.length as PassCount, counts, mean, squaredDeviations };
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
