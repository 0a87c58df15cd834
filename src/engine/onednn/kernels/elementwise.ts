import { reluGradientKernel } from '../../gradients.js';
import type { Addon } from '../addon.js';
import { areFloats, type NativeKernel, sameShape } from './kernel.js';

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

/** Arithmetic on operands of the same shape, or with a second operand that repeats along the first's leading axes. */
function binary(natives: BinaryNatives, scalar: (a: number, b: number) => number): NativeKernel {
  return ({ inputs, backend }) => {
    const a = inputs.a!;
    const b = inputs.b!;
    const equal = sameShape(a.shape, b.shape);
    const trailing = a.shape.slice(a.shape.length - b.shape.length);
    if (!areFloats(a, b) || !(equal || (a.shape.length > b.shape.length && sameShape(trailing, b.shape)))) {
      return undefined;
    }
    const [left, right] = [backend.floats(a), backend.floats(b)];
    const { info, values } = backend.output(a.shape);
    const native = equal ? natives.equal : natives.rows;
    if (native && right.length > 0) {
      native(backend.addon)(left, right, values);
      return info;
    }
    for (let start = 0; start < values.length; start += right.length) {
      for (let i = 0; i < right.length; i++) {
        values[start + i] = scalar(left[start + i]!, right[i]!);
      }
    }
    return info;
  };
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
