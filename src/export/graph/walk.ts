import type { Activation, Padding } from '../../model/architecture.js';
import type { NetworkLayout, PlacedFilterLayer, PlacedLayer } from '../../model/layout.js';
import type { Extents, NetworkOperation } from './operation.js';

/** What a layer makes: the name of the last operation, and the extents of its maps. */
export interface Maps extends Extents {
  readonly name: string;
}

/** Lists the operations of layers, in the order of their execution. */
export class Walk {
  readonly operations: NetworkOperation[] = [];
  private pools = 0;

  constructor(private readonly layout: NetworkLayout) {}

  /** Adds an operation. Returns the name of its result. */
  add(operation: NetworkOperation): string {
    this.operations.push(operation);
    return operation.name;
  }

  /** Adds layers that follow one another. */
  layers(layers: readonly PlacedLayer[], input: Maps): Maps {
    return this.layersOneByOne(layers, input).at(-1) ?? input;
  }

  /** The same, with what each layer makes. */
  layersOneByOne(layers: readonly PlacedLayer[], input: Maps): Maps[] {
    let last = input;
    return layers.map((layer) => {
      last = this.layer(layer, last);
      return last;
    });
  }

  private layer(layer: PlacedLayer, input: Maps): Maps {
    if (layer.kind === 'maxPool') {
      const { size, stride, padding } = layer;
      this.pools++;
      const name = `pool${this.pools}`;
      this.add({ kind: 'maxPool', name, input: input.name, size, stride, padding });
      const after = (extent: number) => Math.floor((extent + 2 * padding - size) / stride) + 1;
      return { ...input, name, height: after(input.height), width: after(input.width) };
    }
    if (layer.kind !== 'residual') return this.filter(layer, input, layer.activation);
    const main = this.filter(layer.last, this.layers(layer.main, input), 'none');
    const shortcut = this.layers(layer.shortcut, input);
    const sum = `${layer.last.batchNorm}.sum`;
    this.add({ kind: 'add', name: sum, input: main.name, other: shortcut.name });
    return { ...main, name: this.activation('relu', sum) };
  }

  private filter(layer: PlacedFilterLayer, input: Maps, activation: Activation): Maps {
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
    return this.add({ kind, name, input });
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
