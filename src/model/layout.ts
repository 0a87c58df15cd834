import type { Backbone } from '../run/training-run.js';
import type {
  ConvolutionLayer,
  DepthwiseLayer,
  Layer,
  MaxPoolLayer,
  Naming,
  ResidualLayer,
  Trunk,
} from './architecture.js';
import { backboneDefinitions } from './backbones.js';
import { ModelError } from './error.js';

export interface ModelSettings {
  readonly backbone: Backbone;
  /** Factor α of MobileNet's channel counts, 0.25 to 1; ResNets ignore it. */
  readonly width: number;
  /** Code length c, 1 to 64. */
  readonly bits: number;
  /** Side of the square input in pixels, at least 32. */
  readonly imageSize: number;
}

/** A parameter's role, which decides its initial values and its file format. */
export type ParameterRole = 'filter' | 'depthwiseFilter' | 'scale' | 'offset' | 'hashWeight' | 'hashBias';

export interface ParameterSpec {
  readonly name: string;
  readonly role: ParameterRole;
  /** filter `[height, width, in, out]`, depthwise filter `[height, width, channels, 1]`, hash weight `[in, bits]` */
  readonly shape: readonly number[];
  /** First element in the flat parameter vector. */
  readonly offset: number;
  readonly size: number;
}

export interface BatchNormSpec {
  readonly name: string;
  readonly channels: number;
  /** First element in the flat vectors of means and of variances. */
  readonly offset: number;
  /** Names of the running statistics in weight files. */
  readonly meanName: string;
  readonly varianceName: string;
}

/** Indices of a convolution's tensors in `parameters` and `batchNorms`. */
interface Places {
  readonly filter: number;
  readonly scale: number;
  readonly offset: number;
  readonly statistics: number;
}

export type PlacedFilterLayer = (ConvolutionLayer | DepthwiseLayer) & Places;
export interface PlacedResidualLayer extends Pick<ResidualLayer, 'kind'> {
  /** All but the last layer of the main path. */
  readonly main: readonly PlacedLayer[];
  /** Its last layer, whose output is added to the shortcut's. */
  readonly last: PlacedFilterLayer;
  readonly shortcut: readonly PlacedLayer[];
}
export type PlacedLayer = PlacedFilterLayer | MaxPoolLayer | PlacedResidualLayer;

/** A trunk with global average pooling and the hash layer u = tanh(W f + b), with the place of every tensor. */
export interface NetworkLayout {
  readonly trunk: Trunk;
  readonly bits: number;
  /** Input size in pixels. */
  readonly height: number;
  readonly width: number;
  readonly layers: readonly PlacedLayer[];
  /** In the order of the flat parameter vector; the hash layer's weight and bias come last. */
  readonly parameters: readonly ParameterSpec[];
  readonly parameterCount: number;
  readonly batchNorms: readonly BatchNormSpec[];
  /** Number of channels of all BatchNorms together. */
  readonly statisticsCount: number;
  /** Channels of the last feature map. */
  readonly featureWidth: number;
  readonly epsilon: number;
}

export interface ModelLayout extends NetworkLayout {
  readonly settings: ModelSettings;
}

/**
 * Describes FCAENet's tensors for these settings. Pure: needs no engine.
 * @throws ModelError `MODEL_SETTINGS` for a setting outside its range
 */
export function describeModel(settings: ModelSettings): ModelLayout {
  const { backbone, width, bits, imageSize } = settings;
  checkRange('width', width, 0.25, 1);
  checkRange('bits', bits, 1, 64, Number.isInteger(bits));
  checkRange('imageSize', imageSize, 32, 4096, Number.isInteger(imageSize));
  return {
    ...describeNetwork(trunkOf(backbone, width), { bits, height: imageSize, width: imageSize }),
    settings,
  };
}

/** The trunk of a backbone. */
export function trunkOf(backbone: Backbone, width: number): Trunk {
  return backboneDefinitions[backbone].trunk(width);
}

/** Describes any trunk with a hash layer, for RGB images of `height` × `width` pixels. */
export function describeNetwork(
  trunk: Trunk,
  size: { bits: number; height: number; width: number },
): NetworkLayout {
  const table = new Table(trunk.naming);
  const { layers, channels } = table.place(trunk.layers, 3);
  table.add('fc.weight', 'hashWeight', [channels, size.bits]);
  table.add('fc.bias', 'hashBias', [size.bits]);
  return {
    trunk,
    ...size,
    layers,
    parameters: table.parameters,
    parameterCount: table.parameterCount,
    batchNorms: table.batchNorms,
    statisticsCount: table.statisticsCount,
    featureWidth: channels,
    epsilon: trunk.epsilon,
  };
}

class Table {
  readonly parameters: ParameterSpec[] = [];
  readonly batchNorms: BatchNormSpec[] = [];
  parameterCount = 0;
  statisticsCount = 0;

  constructor(private readonly naming: Naming) {}

  place(layers: readonly Layer[], input: number): { layers: PlacedLayer[]; channels: number } {
    let channels = input;
    const placed = layers.map((layer): PlacedLayer => {
      if (layer.kind === 'maxPool') return layer;
      if (layer.kind === 'residual') {
        const main = this.place(layer.main, channels);
        const shortcut = this.place(layer.shortcut, channels);
        channels = main.channels;
        const last = main.layers.at(-1) as PlacedFilterLayer;
        return { kind: 'residual', main: main.layers.slice(0, -1), last, shortcut: shortcut.layers };
      }
      const result = this.placeFilter(layer, channels);
      if (layer.kind === 'convolution') channels = layer.filters;
      return result;
    });
    return { layers: placed, channels };
  }

  add(name: string, role: ParameterRole, shape: readonly number[]): number {
    const size = shape.reduce((product, extent) => product * extent, 1);
    this.parameters.push({ name, role, shape, offset: this.parameterCount, size });
    this.parameterCount += size;
    return this.parameters.length - 1;
  }

  private placeFilter(layer: ConvolutionLayer | DepthwiseLayer, input: number): PlacedFilterLayer {
    const { kernel, name, batchNorm } = layer;
    const keras = this.naming === 'keras';
    const filter =
      layer.kind === 'convolution'
        ? this.add(`${name}${keras ? '/kernel' : '.weight'}`, 'filter', [
            kernel,
            kernel,
            input,
            layer.filters,
          ])
        : this.add(`${name}${keras ? '/depthwise_kernel' : '.weight'}`, 'depthwiseFilter', [
            kernel,
            kernel,
            input,
            1,
          ]);
    const channels = layer.kind === 'convolution' ? layer.filters : input;
    const scale = this.add(`${batchNorm}${keras ? '/gamma' : '.weight'}`, 'scale', [channels]);
    const offset = this.add(`${batchNorm}${keras ? '/beta' : '.bias'}`, 'offset', [channels]);
    this.batchNorms.push({
      name: batchNorm,
      channels,
      offset: this.statisticsCount,
      meanName: `${batchNorm}${keras ? '/moving_mean' : '.running_mean'}`,
      varianceName: `${batchNorm}${keras ? '/moving_variance' : '.running_var'}`,
    });
    this.statisticsCount += channels;
    return { ...layer, filter, scale, offset, statistics: this.batchNorms.length - 1 };
  }
}

function checkRange(name: string, value: number, from: number, to: number, allowed = true): void {
  if (!allowed || !(value >= from && value <= to)) {
    throw new ModelError(
      'MODEL_SETTINGS',
      `Model ${name} is ${value}, expected a number from ${from} to ${to}.`,
    );
  }
}
