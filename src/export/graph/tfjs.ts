import {
  encodeTfjsModel,
  type TfjsAttribute,
  type TfjsConstant,
  type TfjsNode,
} from '../../formats/tfjs-graph.js';
import { contrast, varianceFloor } from '../../model/heads/saliency.js';
import type { ParameterSpec } from '../../model/layout.js';
import { statisticsOf } from '../../model/placement.js';
import { normalizeImages } from '../../model/preprocess.js';
import { version } from '../../run/version.js';
import { type ExportedNetwork, valuesOf } from '../network.js';
import { type Extents, type NetworkOperation, networkInput, networkOutput } from './operation.js';
import { networkOperations } from './operations.js';

/**
 * A network as the files of a TensorFlow.js graph model. Its input `images` is int32 `[n, height, width, 3]`, RGB bytes, as
 * `tf.browser.fromPixels` gives them. The graph looks the normalised value of each byte up in a table, so its inputs are
 * those of training to the bit. Its outputs are `u`, float32 `[n, bits]` (equation 2), and `bits`, int32 `[n, bits]`: 1
 * where u is at least 0. n is any number.
 */
export function encodeTfjsNetwork(network: ExportedNetwork): { name: string; bytes: Uint8Array }[] {
  const { layout, metadata } = network;
  const { height, width, bits } = layout;
  const writer = new Writer(network);
  writer.normalise();
  for (const operation of networkOperations(layout)) writer.write(operation);
  writer.signs();
  return encodeTfjsModel({
    producer: `fcaenet ${version}`,
    nodes: writer.nodes,
    constants: writer.constants,
    inputs: [{ name: 'images', type: 'int32', shape: [-1, height, width, 3] }],
    outputs: [
      { name: networkOutput, type: 'float32', shape: [-1, bits] },
      { name: 'bits', type: 'int32', shape: [-1, bits] },
    ],
    metadata,
  });
}

const float: TfjsAttribute = { type: 'float32' };
const layoutOfImages: TfjsAttribute = { text: 'NHWC' };

class Writer {
  readonly nodes: TfjsNode[] = [];
  readonly constants: TfjsConstant[] = [];

  constructor(private readonly network: ExportedNetwork) {}

  /** The value of byte b of channel k is at position 256 k + b of a table. */
  normalise(): void {
    const { height, width, trunk } = this.network.layout;
    this.node('Placeholder', 'images', [], {
      dtype: { type: 'int32' },
      shape: { shape: [-1, height, width, 3] },
    });
    const every = Uint8Array.from({ length: 3 * 256 }, (_, index) => Math.floor(index / 3));
    const byPixel = normalizeImages(every, trunk.preprocessing);
    const byChannel = Float32Array.from(byPixel, (_, index) => byPixel[3 * (index & 255) + (index >>> 8)]!);
    const table = this.constant('images.table', byChannel, [3 * 256]);
    const begins = this.constant('images.begins', Int32Array.of(0, 256, 512), [3]);
    this.node('AddV2', 'images.positions', ['images', begins], { T: { type: 'int32' } });
    this.node('GatherV2', networkInput, [table, 'images.positions', this.axes('axis', [0], [])], {
      Tparams: float,
      Tindices: { type: 'int32' },
      Taxis: { type: 'int32' },
      batch_dims: { integer: 0 },
    });
  }

  write(operation: NetworkOperation): void {
    const { name, input } = operation;
    switch (operation.kind) {
      case 'convolution':
        this.convolution(operation);
        break;
      case 'batchNorm': {
        const { scale, offset, statistics } = operation;
        const moments = statisticsOf(this.network.weights, statistics).map(([label, values]) =>
          this.constant(label, values, [statistics.channels]),
        );
        const tensors = [this.parameter(scale), this.parameter(offset), ...moments];
        this.node('FusedBatchNormV3', name, [input, ...tensors], {
          T: float,
          U: float,
          epsilon: { float: this.network.layout.epsilon },
          is_training: { flag: false },
          data_format: layoutOfImages,
        });
        break;
      }
      case 'relu':
        this.node('Relu', name, [input], { T: float });
        break;
      case 'relu6':
        this.node('Relu6', name, [input], { T: float });
        break;
      case 'tanh':
        this.node('Tanh', name, [input], { T: float });
        break;
      case 'maxPool': {
        const { size, stride, padding } = operation;
        // The graph's own maximum knows no explicit padding.
        const sides = [0, 0, padding, padding, padding, padding, 0, 0];
        const padded = `${name}.padded`;
        this.node('Pad', padded, [input, this.axes(`${name}.sides`, sides, [4, 2])], {
          T: float,
          Tpaddings: { type: 'int32' },
        });
        this.node('MaxPool', name, [padded], {
          T: float,
          ksize: { integers: [1, size, size, 1] },
          strides: { integers: [1, stride, stride, 1] },
          padding: { text: 'VALID' },
          data_format: layoutOfImages,
        });
        break;
      }
      case 'add':
        this.node('AddV2', name, [input, operation.other], { T: float });
        break;
      case 'multiply':
        this.node('Mul', name, [input, operation.other], { T: float });
        break;
      case 'slice': {
        const { begin, size } = operation;
        const axes = [
          this.axes(`${name}.begin`, [0, ...channelsLast(begin)], [4]),
          this.axes(`${name}.size`, [-1, ...channelsLast(size)], [4]),
        ];
        this.node('Slice', name, [input, ...axes], { T: float, Index: { type: 'int32' } });
        break;
      }
      case 'attention':
        this.attention(name, input);
        break;
      case 'enlarge': {
        const { side, height, width } = operation;
        const cells = this.axes(`${name}.cells`, [-1, height, 1, width, 1], [5]);
        const ones = new Float32Array(side * side).fill(1);
        const squares = this.constant(`${name}.squares`, ones, [1, 1, side, 1, side]);
        const pixels = this.axes(`${name}.pixels`, [-1, height * side, width * side, 1], [4]);
        this.node('Reshape', `${name}.values`, [input, cells], { T: float, Tshape: { type: 'int32' } });
        this.node('Mul', `${name}.repeated`, [`${name}.values`, squares], { T: float });
        this.node('Reshape', name, [`${name}.repeated`, pixels], { T: float, Tshape: { type: 'int32' } });
        break;
      }
      case 'concatenate': {
        const inputs = [input, ...operation.others];
        const axis = operation.along === 'rows' ? 0 : 1;
        this.node('ConcatV2', name, [...inputs, this.axes(`${operation.along}.axis`, [axis], [])], {
          T: float,
          N: { integer: inputs.length },
          Tidx: { type: 'int32' },
        });
        break;
      }
      case 'mean':
        this.node('Mean', name, [input, this.axes('heightAndWidth', [1, 2], [2])], {
          T: float,
          Tidx: { type: 'int32' },
          keep_dims: { flag: false },
        });
        break;
      case 'dense': {
        const product = `${name}.product`;
        this.node('MatMul', product, [input, this.parameter(operation.weight)], {
          T: float,
          transpose_a: { flag: false },
          transpose_b: { flag: false },
        });
        this.node('AddV2', name, [product, this.parameter(operation.bias)], { T: float });
        break;
      }
      case 'denseOverParts':
        this.denseOverParts(operation);
        break;
    }
  }

  signs(): void {
    const zero = this.constant('zero', Float32Array.of(0), []);
    this.node('GreaterEqual', 'signs', [networkOutput, zero], { T: float });
    this.node('Cast', 'bits', ['signs'], { DstT: { type: 'int32' } });
  }

  private attention(name: string, input: string): void {
    const scalar = (label: string, value: number) => this.constant(label, Float32Array.of(value), []);
    const one = (operator: string, label: string, inputs: readonly string[]) =>
      this.node(operator, `${name}${label}`, inputs, { T: float });
    const mean = (label: string, of: string) =>
      this.node('Mean', `${name}${label}`, [of, this.axes('heightAndWidth', [1, 2], [2])], {
        T: float,
        Tidx: { type: 'int32' },
        keep_dims: { flag: true },
      });
    mean('.mean', input);
    one('Sub', '.centred', [input, `${name}.mean`]);
    one('Mul', '.squares', [`${name}.centred`, `${name}.centred`]);
    mean('.variance', `${name}.squares`);
    one('AddV2', '.floored', [`${name}.variance`, scalar('varianceFloor', varianceFloor)]);
    one('Sqrt', '.deviation', [`${name}.floored`]);
    one('RealDiv', '.standardised', [`${name}.centred`, `${name}.deviation`]);
    one('Mul', '.scaled', [`${name}.standardised`, scalar('contrast', contrast)]);
    one('Tanh', '.tanh', [`${name}.scaled`]);
    one('AddV2', '', [`${name}.tanh`, scalar('one', 1)]);
  }

  private convolution({ name, input, ...rest }: NetworkOperation & { readonly kind: 'convolution' }): void {
    const { depthwise, filter, stride, padding } = rest;
    const explicit = typeof padding === 'number' && padding > 0 ? padding : null;
    const ways = { same: 'SAME', 0: 'VALID' } as Readonly<Record<string, string>>;
    this.node(depthwise ? 'DepthwiseConv2dNative' : 'Conv2D', name, [input, this.parameter(filter)], {
      T: float,
      strides: { integers: [1, stride, stride, 1] },
      dilations: { integers: [1, 1, 1, 1] },
      padding: { text: explicit === null ? ways[padding]! : 'EXPLICIT' },
      explicit_paddings: {
        integers: explicit === null ? [] : [0, 0, explicit, explicit, explicit, explicit, 0, 0],
      },
      data_format: layoutOfImages,
    });
  }

  private denseOverParts(operation: NetworkOperation & { readonly kind: 'denseOverParts' }): void {
    const { name, input, parts, width, weight, bias } = operation;
    const byPart = this.constant(weight.name, valuesOf(this.network, weight), [parts, width, bias.size]);
    const shape = this.axes(`${name}.shape`, [parts, -1, width], [3]);
    this.node('Reshape', `${name}.parts`, [input, shape], { T: float, Tshape: { type: 'int32' } });
    this.node('BatchMatMulV2', `${name}.products`, [`${name}.parts`, byPart], {
      T: float,
      adj_x: { flag: false },
      adj_y: { flag: false },
    });
    this.node('Sum', `${name}.sum`, [`${name}.products`, this.axes('parts.axis', [0], [1])], {
      T: float,
      Tidx: { type: 'int32' },
      keep_dims: { flag: false },
    });
    this.node('AddV2', name, [`${name}.sum`, this.parameter(bias)], { T: float });
  }

  private node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, TfjsAttribute>>,
  ): void {
    this.nodes.push({ name, operator, inputs, attributes });
  }

  private parameter(spec: ParameterSpec): string {
    return this.constant(spec.name, valuesOf(this.network, spec), spec.shape);
  }

  private axes(name: string, values: readonly number[], shape: readonly number[]): string {
    return this.constant(name, Int32Array.from(values), shape);
  }

  /** Operations may share a constant: those of one name are equal. */
  private constant(name: string, data: TfjsConstant['data'], shape: readonly number[]): string {
    if (!this.constants.some((each) => each.name === name)) this.constants.push({ name, data, shape });
    return name;
  }
}

/** Of a map's axes. */
function channelsLast({ height, width, channels }: Extents): number[] {
  return [height, width, channels];
}
