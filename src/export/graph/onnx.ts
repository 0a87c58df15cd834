import { encodeOnnx, type OnnxNode, type OnnxTensor } from '../../formats/onnx.js';
import { contrast, varianceFloor } from '../../model/heads/saliency.js';
import type { ParameterSpec } from '../../model/layout.js';
import { statisticsOf } from '../../model/placement.js';
import { scalings } from '../../model/preprocess.js';
import { torchShape, toTorchOrder } from '../../model/torch-order.js';
import { version } from '../../run/version.js';
import { type ExportedNetwork, valuesOf } from '../network.js';
import { type Extents, type NetworkOperation, networkInput, networkOutput } from './operation.js';
import { networkOperations } from './operations.js';

/** Of 2022: runtimes since ONNX Runtime 1.14 have it, and no operation below has changed since. */
const operatorSet = 18;

/**
 * A network as the bytes of an ONNX file. Its input `images` is float32 `[n, 3, height, width]`, RGB from 0 to 1; the
 * graph normalises it. Its outputs are `u`, float32 `[n, bits]` (equation 2), and `bits`, uint8 `[n, bits]`: 1 where u is
 * at least 0. n is any number.
 */
export function encodeOnnxNetwork(network: ExportedNetwork): Uint8Array {
  const { layout, metadata } = network;
  const { height, width, bits, trunk } = layout;
  const writer = new Writer(network);
  writer.normalise();
  for (const operation of networkOperations(layout)) writer.write(operation);
  writer.signs();
  return encodeOnnx({
    producer: { name: 'fcaenet', version },
    name: trunk.title,
    description: `${trunk.title} with a hash layer of ${bits} bits, trained by fcaenet.`,
    operatorSet,
    nodes: writer.nodes,
    initializers: writer.initializers,
    inputs: [
      {
        name: 'images',
        type: 'float32',
        shape: ['n', 3, height, width],
        description: 'RGB from 0 to 1; the graph normalises it',
      },
    ],
    outputs: [
      {
        name: networkOutput,
        type: 'float32',
        shape: ['n', bits],
        description: 'outputs of the network, from -1 to 1',
      },
      { name: 'bits', type: 'uint8', shape: ['n', bits], description: 'the code: 1 where u is at least 0' },
    ],
    metadata,
  });
}

class Writer {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];

  constructor(private readonly network: ExportedNetwork) {}

  /** (255 x / divisor − mean) / deviation, in one product and one difference. */
  normalise(): void {
    const { divisor, mean, deviation } = scalings[this.network.layout.trunk.preprocessing];
    const perChannel = (name: string, value: (channel: number) => number) =>
      this.constant(
        name,
        Float32Array.from(mean, (_, channel) => value(channel)),
        [1, 3, 1, 1],
      );
    const scale = perChannel('images.scale', (channel) => 255 / divisor / deviation[channel]!);
    const shift = perChannel('images.shift', (channel) => mean[channel]! / deviation[channel]!);
    this.node('Mul', 'images.scaled', ['images', scale]);
    this.node('Sub', networkInput, ['images.scaled', shift]);
  }

  write(operation: NetworkOperation): void {
    const { name, input } = operation;
    switch (operation.kind) {
      case 'convolution': {
        const { filter, sides, stride, depthwise, channels } = operation;
        this.node('Conv', name, [input, this.parameter(filter)], {
          kernel_shape: torchShape(filter).slice(2),
          strides: [stride, stride],
          pads: [sides.top, sides.left, sides.bottom, sides.right],
          group: depthwise ? channels : 1,
        });
        break;
      }
      case 'batchNorm': {
        const { scale, offset, statistics } = operation;
        const moments = statisticsOf(this.network.weights, statistics).map(([label, values]) =>
          this.constant(label, values, [statistics.channels]),
        );
        this.node(
          'BatchNormalization',
          name,
          [input, this.parameter(scale), this.parameter(offset), ...moments],
          { epsilon: { float: this.network.layout.epsilon } },
        );
        break;
      }
      case 'relu':
        this.node('Relu', name, [input]);
        break;
      case 'relu6':
        this.node('Clip', name, [input, this.scalar('zero', 0), this.scalar('six', 6)]);
        break;
      case 'tanh':
        this.node('Tanh', name, [input]);
        break;
      case 'maxPool': {
        const { size, stride, padding } = operation;
        this.node('MaxPool', name, [input], {
          kernel_shape: [size, size],
          strides: [stride, stride],
          pads: [padding, padding, padding, padding],
        });
        break;
      }
      case 'add':
        this.node('Add', name, [input, operation.other]);
        break;
      case 'multiply':
        this.node('Mul', name, [input, operation.other]);
        break;
      case 'slice': {
        const { begin, size } = operation;
        const [from, extents] = [channelsFirst(begin), channelsFirst(size)];
        const ends = from.map((first, axis) => first + extents[axis]!);
        this.node('Slice', name, [
          input,
          this.integers(`${name}.starts`, from),
          this.integers(`${name}.ends`, ends),
          this.integers('channelsHeightAndWidth', [1, 2, 3]),
        ]);
        break;
      }
      case 'attention':
        this.attention(name, input);
        break;
      case 'enlarge': {
        const { side, height, width } = operation;
        const cells = this.integers(`${name}.cells`, [-1, height, 1, width, 1]);
        const squares = this.constant(`${name}.squares`, new Float32Array(side * side).fill(1), [
          1,
          1,
          side,
          1,
          side,
        ]);
        const pixels = this.integers(`${name}.pixels`, [-1, 1, height * side, width * side]);
        this.node('Reshape', `${name}.values`, [input, cells]);
        this.node('Mul', `${name}.repeated`, [`${name}.values`, squares]);
        this.node('Reshape', name, [`${name}.repeated`, pixels]);
        break;
      }
      case 'concatenate':
        this.node('Concat', name, [input, ...operation.others], {
          axis: operation.along === 'rows' ? 0 : 1,
        });
        break;
      case 'mean':
        this.node('GlobalAveragePool', `${name}.pooled`, [input]);
        this.node('Flatten', name, [`${name}.pooled`]);
        break;
      case 'dense':
        this.node('Gemm', name, [input, this.parameter(operation.weight), this.parameter(operation.bias)], {
          transB: 1,
        });
        break;
      case 'denseOverParts':
        this.denseOverParts(operation);
        break;
    }
  }

  signs(): void {
    this.node('GreaterOrEqual', 'signs', [networkOutput, this.scalar('zero', 0)]);
    // 2 is uint8.
    this.node('Cast', 'bits', ['signs'], { to: 2 });
  }

  private attention(name: string, input: string): void {
    const axes = this.integers('heightAndWidth', [2, 3]);
    this.node('ReduceMean', `${name}.mean`, [input, axes], { keepdims: 1 });
    this.node('Sub', `${name}.centred`, [input, `${name}.mean`]);
    this.node('Mul', `${name}.squares`, [`${name}.centred`, `${name}.centred`]);
    this.node('ReduceMean', `${name}.variance`, [`${name}.squares`, axes], { keepdims: 1 });
    const floor = this.scalar('varianceFloor', varianceFloor);
    this.node('Add', `${name}.floored`, [`${name}.variance`, floor]);
    this.node('Sqrt', `${name}.deviation`, [`${name}.floored`]);
    this.node('Div', `${name}.standardised`, [`${name}.centred`, `${name}.deviation`]);
    this.node('Mul', `${name}.scaled`, [`${name}.standardised`, this.scalar('contrast', contrast)]);
    this.node('Tanh', `${name}.tanh`, [`${name}.scaled`]);
    this.node('Add', name, [`${name}.tanh`, this.scalar('one', 1)]);
  }

  private denseOverParts(operation: NetworkOperation & { readonly kind: 'denseOverParts' }): void {
    const { name, input, parts, width, weight, bias } = operation;
    const values = valuesOf(this.network, weight);
    const byPart = this.constant(weight.name, values, [parts, width, bias.size]);
    const shape = this.integers(`${name}.shape`, [parts, -1, width]);
    this.node('Reshape', `${name}.parts`, [input, shape]);
    this.node('MatMul', `${name}.products`, [`${name}.parts`, byPart]);
    this.node('ReduceSum', `${name}.sum`, [`${name}.products`, this.integers('parts.axis', [0])], {
      keepdims: 0,
    });
    this.node('Add', name, [`${name}.sum`, this.parameter(bias)]);
  }

  private node(
    operator: string,
    name: string,
    inputs: readonly string[],
    attributes: OnnxNode['attributes'] = {},
  ): void {
    this.nodes.push({ name, operator, inputs, attributes });
  }

  private parameter(spec: ParameterSpec): string {
    return this.constant(spec.name, toTorchOrder(valuesOf(this.network, spec), spec), torchShape(spec));
  }

  private scalar(name: string, value: number): string {
    return this.constant(name, Float32Array.of(value), []);
  }

  private integers(name: string, values: readonly number[]): string {
    return this.constant(name, BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** Operations may share a constant: those of one name are equal. */
  private constant(name: string, data: OnnxTensor['data'], shape: readonly number[]): string {
    if (!this.initializers.some((each) => each.name === name)) this.initializers.push({ name, shape, data });
    return name;
  }
}

/** Of a map's axes. */
function channelsFirst({ height, width, channels }: Extents): number[] {
  return [channels, height, width];
}
