import * as tf from '@tensorflow/tfjs-core';
import { onnxModel, onnxTypes } from '../../src/formats/onnx.js';

interface Attribute {
  readonly name: string;
  readonly i: number;
  readonly f: number;
  readonly ints: readonly number[];
}
interface Node {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly op_type: string;
  readonly attribute: readonly Attribute[];
}
interface Model {
  readonly graph: {
    readonly node: readonly Node[];
    readonly initializer: readonly {
      name: string;
      dims: number[];
      data_type: number;
      raw_data: Uint8Array;
    }[];
    readonly input: readonly { name: string }[];
    readonly output: readonly { name: string }[];
  };
}

/** Carries out a graph of float32 tensors as the definitions of ONNX's operators say, in NCHW. */
export function runOnnx(bytes: Uint8Array, images: tf.Tensor4D): Record<string, tf.Tensor> {
  const { graph } = onnxModel.toObject(onnxModel.decode(bytes), {
    longs: Number,
    defaults: true,
    arrays: true,
  }) as Model;
  const values = new Map<string, tf.Tensor>([[graph.input[0]!.name, images]]);
  for (const { name, dims, data_type, raw_data } of graph.initializer) {
    const { buffer } = Uint8Array.from(raw_data);
    const isInteger = data_type === onnxTypes.int64;
    const data = isInteger ? Array.from(new BigInt64Array(buffer), Number) : new Float32Array(buffer);
    values.set(name, tf.tensor(data, dims));
  }
  for (const node of graph.node) {
    const inputs = node.input.map((name) => values.get(name)!);
    const attributes = Object.fromEntries(node.attribute.map((each) => [each.name, each]));
    values.set(node.output[0]!, operators[node.op_type]!(inputs, attributes));
  }
  return Object.fromEntries(graph.output.map(({ name }) => [name, values.get(name)!]));
}

type Operator = (inputs: tf.Tensor[], attributes: Readonly<Record<string, Attribute>>) => tf.Tensor;

const toNhwc = (x: tf.Tensor) => tf.transpose(x, [0, 2, 3, 1]) as tf.Tensor4D;
const toNchw = (x: tf.Tensor) => tf.transpose(x, [0, 3, 1, 2]);
const sides = ({ ints }: Attribute): [number, number][] => {
  const [top, left, bottom, right] = ints as [number, number, number, number];
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
};
const shaped = (x: tf.Tensor, rank: number) => tf.reshape(x, [1, -1, ...new Array<number>(rank - 2).fill(1)]);

const operators: Readonly<Record<string, Operator>> = {
  Mul: ([x, y]) => tf.mul(x!, y!),
  Sub: ([x, y]) => tf.sub(x!, y!),
  Add: ([x, y]) => tf.add(x!, y!),
  Div: ([x, y]) => tf.div(x!, y!),
  Sqrt: ([x]) => tf.sqrt(x!),
  Relu: ([x]) => tf.relu(x!),
  Tanh: ([x]) => tf.tanh(x!),
  Clip: ([x, low, high]) => tf.minimum(tf.maximum(x!, low!), high!),
  Conv: ([x, filter], { strides, pads, group }) => {
    const padded = tf.pad(toNhwc(x!), sides(pads!));
    const stride = strides!.ints[0]!;
    if (group!.i === 1) {
      const kernel = tf.transpose(filter!, [2, 3, 1, 0]) as tf.Tensor4D;
      return toNchw(tf.conv2d(padded as tf.Tensor4D, kernel, stride, 'valid'));
    }
    const kernel = tf.transpose(filter!, [2, 3, 0, 1]) as tf.Tensor4D;
    return toNchw(tf.depthwiseConv2d(padded as tf.Tensor4D, kernel, stride, 'valid'));
  },
  BatchNormalization: ([x, scale, bias, mean, variance], { epsilon }) => {
    const [s, b, m, v] = [scale!, bias!, mean!, variance!].map((each) => shaped(each, 4));
    const deviation = tf.sqrt(tf.add(v!, epsilon!.f));
    return tf.add(tf.mul(tf.div(tf.sub(x!, m!), deviation), s!), b!);
  },
  MaxPool: ([x], { kernel_shape, strides, pads }) => {
    const padded = tf.pad(toNhwc(x!), sides(pads!), Number.NEGATIVE_INFINITY) as tf.Tensor4D;
    return toNchw(tf.maxPool(padded, kernel_shape!.ints[0]!, strides!.ints[0]!, 'valid'));
  },
  GlobalAveragePool: ([x]) => tf.mean(x!, [2, 3], true),
  Slice: ([x, starts, ends, axes]) => {
    const [begin, size] = [x!.shape.map(() => 0), [...x!.shape]];
    const [from, to] = [starts!.dataSync(), ends!.dataSync()];
    axes!.dataSync().forEach((axis, index) => {
      begin[axis] = from[index]!;
      size[axis] = to[index]! - from[index]!;
    });
    return tf.slice(x!, begin, size);
  },
  Concat: (inputs, { axis }) => tf.concat(inputs, axis!.i),
  Reshape: ([x, shape]) => tf.reshape(x!, [...shape!.dataSync()]),
  MatMul: ([x, y]) => tf.matMul(x!, y!),
  ReduceMean: ([x, axes], { keepdims }) => tf.mean(x!, [...axes!.dataSync()], keepdims!.i === 1),
  ReduceSum: ([x, axes], { keepdims }) => tf.sum(x!, [...axes!.dataSync()], keepdims!.i === 1),
  Flatten: ([x]) => tf.reshape(x!, [x!.shape[0]!, -1]),
  Gemm: ([x, weight, bias], { transB }) =>
    tf.add(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, transB!.i === 1), bias!),
  GreaterOrEqual: ([x, y]) => tf.greaterEqual(x!, y!),
  Cast: ([x]) => tf.cast(x!, 'int32'),
};
