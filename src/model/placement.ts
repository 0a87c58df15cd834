import type {
  ConvolutionLayer,
  DepthwiseLayer,
  Layer,
  MaxPoolLayer,
  Naming,
  ResidualLayer,
} from './architecture.js';

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

/** Copies of the running means and variances of a BatchNorm `[channels]`, each with its name in weight files. */
export function statisticsOf(
  { mean, variance }: { readonly mean: Float32Array; readonly variance: Float32Array },
  { meanName, varianceName, offset, channels }: BatchNormSpec,
): [name: string, values: Float32Array<ArrayBuffer>][] {
  const part = (values: Float32Array) => values.slice(offset, offset + channels);
  return [
    [meanName, part(mean)],
    [varianceName, part(variance)],
  ];
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

/** Gives every tensor of a network its place in the flat vectors, in the order of the calls. */
export class PlacementTable {
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
