import type { TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { reluGradientKernel } from '../../gradients.js';
import type { Addon } from '../addon.js';
import type { OnednnBackend, Output } from '../backend.js';
import { areFloats, type NativeKernel, sameShape } from './kernel.js';
import { copyStrided, stridesOf } from './strided-copy.js';

function relu(limit: number): NativeKernel {
  return ({ inputs, backend }) => {
    const x = inputs.x!;
    if (!areFloats(x)) {
      return undefined;
    }
    const y = backend.output(x.shape);
    backend.addon.relu(backend.floats(x), y.values, limit);
    return y.info;
  };
}

const reluGradient: NativeKernel = ({ inputs, attrs, backend }) => {
  const { dy, y } = inputs;
  const dx = backend.output(y!.shape);
  backend.addon.reluInput(backend.floats(y!), backend.floats(dy!), dx.values, attrs.limit as number);
  return dx.info;
};

interface BinaryNatives {
  /** For operands of the same shape. */
  readonly equal?: (addon: Addon) => Addon['add'];
  /** For a second operand that repeats along the leading axes of the first. */
  readonly rows?: (addon: Addon) => Addon['addRows'];
}

/** Arithmetic. An operand that repeats in another way than along the leading axes of the first is written out before. */
function binary(natives: BinaryNatives, scalar: (a: number, b: number) => number): NativeKernel {
  return ({ inputs, backend }) => {
    const a = inputs.a!;
    const b = inputs.b!;
    if (!areFloats(a, b)) {
      return undefined;
    }
    const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const trailing = shape.slice(shape.length - b.shape.length);
    const rows = sameShape(a.shape, shape) && sameShape(trailing, b.shape);
    const spread = rows ? [] : [a, b].filter((operand) => !sameShape(operand.shape, shape));
    const written = new Map(spread.map((operand) => [operand, writtenOut(operand, shape, backend)]));
    const [left, right] = [a, b].map(
      (operand) => written.get(operand)?.values ?? backend.floats(operand),
    ) as [Float32Array, Float32Array];
    const { info, values } = backend.output(shape);
    const native = left.length === right.length ? natives.equal : natives.rows;
    if (native && right.length > 0) {
      native(backend.addon)(left, right, values);
    } else {
      for (let start = 0; start < values.length; start += right.length) {
        for (let i = 0; i < right.length; i++) {
          values[start + i] = scalar(left[start + i]!, right[i]!);
        }
      }
    }
    for (const copy of written.values()) backend.disposeData(copy.info.dataId);
    return info;
  };
}

/** The values of a tensor, repeated along the axes that `shape` has besides its own, or where it has one value. */
function writtenOut(tensor: TensorInfo, shape: number[], backend: OnednnBackend): Output {
  const output = backend.output(shape);
  const added = shape.length - tensor.shape.length;
  const own = stridesOf(tensor.shape);
  const strides = shape.map((_size, axis) =>
    (tensor.shape[axis - added] ?? 1) === 1 ? 0 : own[axis - added]!,
  );
  copyStrided(shape, backend.floats(tensor), strides, output.values, stridesOf(shape));
  return output;
}

const addN: NativeKernel = ({ inputs, backend }) => {
  const tensors = Object.values(inputs);
  if (tensors.length < 2 || !areFloats(...tensors)) {
    return undefined;
  }
  const { info, values } = backend.output(tensors[0]!.shape);
  backend.addon.add(backend.floats(tensors[0]!), backend.floats(tensors[1]!), values);
  for (const tensor of tensors.slice(2)) {
    backend.addon.add(values, backend.floats(tensor), values);
  }
  return info;
};

/** Element by element: activations with their gradient, and arithmetic. */
export const elementwiseKernels: { [name: string]: NativeKernel } = {
  Relu: relu(Number.POSITIVE_INFINITY),
  Relu6: relu(6),
  [reluGradientKernel]: reluGradient,
  Add: binary({ equal: (addon) => addon.add, rows: (addon) => addon.addRows }, (a, b) => a + b),
  Sub: binary({ equal: (addon) => addon.subtract }, (a, b) => a - b),
  Multiply: binary({ equal: (addon) => addon.multiply }, (a, b) => a * b),
  RealDiv: binary({}, (a, b) => a / b),
  AddN: addN,
};
