import type { Activation, MaxPoolLayer, Padding } from '../../model/architecture.js';
import type {
  BatchNormSpec,
  NetworkLayout,
  ParameterSpec,
  PlacedFilterLayer,
  PlacedLayer,
} from '../../model/layout.js';

/** Zeros on each side of an image. */
export interface Sides {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

interface Common {
  /** Names the operation and its result. */
  readonly name: string;
  /** Names the operation whose result is its input; `networkInput` for the first. */
  readonly input: string;
}

/** One operation of a network in eval mode. The input is a batch of normalised images. */
export type NetworkOperation =
  | (Common & {
      readonly kind: 'convolution';
      /** One kernel per channel. */
      readonly depthwise: boolean;
      readonly filter: ParameterSpec;
      readonly stride: number;
      /** As the architecture has it. */
      readonly padding: Padding;
      /** The same for this size of image. */
      readonly sides: Sides;
      /** Channels of the input. */
      readonly channels: number;
    })
  | (Common & {
      readonly kind: 'batchNorm';
      readonly scale: ParameterSpec;
      readonly offset: ParameterSpec;
      readonly statistics: BatchNormSpec;
    })
  | (Common & { readonly kind: 'relu' | 'relu6' | 'tanh' })
  /** Largest value of each window. No input is negative, so zeros around it do not change the result. */
  | (Common & Pick<MaxPoolLayer, 'size' | 'stride' | 'padding'> & { readonly kind: 'maxPool' })
  | (Common & { readonly kind: 'add'; readonly other: string })
  /** Mean over height and width. */
  | (Common & { readonly kind: 'mean' })
  | (Common & { readonly kind: 'dense'; readonly weight: ParameterSpec; readonly bias: ParameterSpec });

/** The input of the first operation: normalised images. */
export const networkInput = 'normalised';
/** The last operation: u = tanh(W f + b) `[n, bits]` (equation 2). */
export const networkOutput = 'u';

/**
 * A network as a list of operations in the order of their execution, for the writers of other programs' graphs. It has the
 * operations of `Network.forwardEval`.
 */
export function networkOperations(layout: NetworkLayout): NetworkOperation[] {
  return new Walk(layout).run();
}

/** What a layer makes: the name of the last operation, and the extents of its images. */
interface Images {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

class Walk {
  private readonly operations: NetworkOperation[] = [];
  private pools = 0;

  constructor(private readonly layout: NetworkLayout) {}

  run(): NetworkOperation[] {
    const { layout, operations } = this;
    const { height, width } = layout;
    const last = this.layers(layout.layers, { name: networkInput, height, width, channels: 3 });
    const [weight, bias] = layout.parameters.slice(-2);
    operations.push(
      { kind: 'mean', name: 'features', input: last.name },
      { kind: 'dense', name: 'hash', input: 'features', weight: weight!, bias: bias! },
      { kind: 'tanh', name: networkOutput, input: 'hash' },
    );
    return operations;
  }

  private layers(layers: readonly PlacedLayer[], input: Images): Images {
    return layers.reduce<Images>((images, layer) => this.layer(layer, images), input);
  }

  private layer(layer: PlacedLayer, input: Images): Images {
    if (layer.kind === 'maxPool') {
      const { size, stride, padding } = layer;
      this.pools++;
      const name = `pool${this.pools}`;
      this.operations.push({ kind: 'maxPool', name, input: input.name, size, stride, padding });
      const after = (extent: number) => Math.floor((extent + 2 * padding - size) / stride) + 1;
      return { ...input, name, height: after(input.height), width: after(input.width) };
    }
    if (layer.kind !== 'residual') return this.filter(layer, input, layer.activation);
    const main = this.filter(layer.last, this.layers(layer.main, input), 'none');
    const shortcut = this.layers(layer.shortcut, input);
    const sum = `${layer.last.batchNorm}.sum`;
    this.operations.push({ kind: 'add', name: sum, input: main.name, other: shortcut.name });
    return { ...main, name: this.activation('relu', sum) };
  }

  private filter(layer: PlacedFilterLayer, input: Images, activation: Activation): Images {
    const { parameters, batchNorms } = this.layout;
    const { name, batchNorm, kernel, stride, padding } = layer;
    const [rows, columns] = [
      windowsOf(input.height, kernel, stride, padding),
      windowsOf(input.width, kernel, stride, padding),
    ];
    this.operations.push(
      {
        kind: 'convolution',
        name,
        input: input.name,
        depthwise: layer.kind === 'depthwise',
        filter: parameters[layer.filter]!,
        stride,
        padding,
        sides: { top: rows.before, bottom: rows.after, left: columns.before, right: columns.after },
        channels: input.channels,
      },
      {
        kind: 'batchNorm',
        name: batchNorm,
        input: name,
        scale: parameters[layer.scale]!,
        offset: parameters[layer.offset]!,
        statistics: batchNorms[layer.statistics]!,
      },
    );
    return {
      name: this.activation(activation, batchNorm),
      height: rows.count,
      width: columns.count,
      channels: layer.kind === 'convolution' ? layer.filters : input.channels,
    };
  }

  private activation(kind: Activation, input: string): string {
    if (kind === 'none') return input;
    const name = `${input}.${kind}`;
    this.operations.push({ kind, name, input });
    return name;
  }
}

/** How many windows lie along one axis, and the zeros before and after it; see `Padding`. */
function windowsOf(extent: number, kernel: number, stride: number, padding: Padding) {
  if (padding !== 'same') {
    return {
      count: Math.floor((extent + 2 * padding - kernel) / stride) + 1,
      before: padding,
      after: padding,
    };
  }
  const count = Math.ceil(extent / stride);
  const zeros = Math.max(0, (count - 1) * stride + kernel - extent);
  return { count, before: Math.floor(zeros / 2), after: Math.ceil(zeros / 2) };
}
