import type { ParameterSpec } from './layout.js';

/** Keras's names of a layer's tensors, and PyTorch's. */
const kerasEndings: Readonly<Record<string, string>> = {
  kernel: 'weight',
  depthwise_kernel: 'weight',
  gamma: 'weight',
  beta: 'bias',
  moving_mean: 'running_mean',
  moving_variance: 'running_var',
};

/**
 * The name that a tensor of a network has in PyTorch. torchvision's names stay as they are. For MobileNet it is Keras's
 * name of the layer with PyTorch's name of its tensor: `conv1/kernel` is `conv1.weight`.
 */
export function torchName(name: string): string {
  const [layer, tensor] = name.split('/');
  return tensor === undefined ? name : `${layer}.${kerasEndings[tensor]!}`;
}

/**
 * The shape in which PyTorch stores a parameter: filters `[out, in, height, width]`, depthwise filters
 * `[channels, 1, height, width]`, linear weights `[out, in]`, all else as here.
 */
export function torchShape({ role, shape }: ParameterSpec): number[] {
  const [first = 1, second = 1, third = 1, fourth = 1] = shape;
  switch (role) {
    case 'filter':
      return [fourth, third, first, second];
    case 'depthwiseFilter':
      return [third, fourth, first, second];
    case 'hashWeight':
      return [second, first];
    default:
      return [first];
  }
}

/** Reorders a parameter's values from PyTorch's order to ours. */
export function fromTorchOrder(values: Float32Array, spec: ParameterSpec): Float32Array<ArrayBuffer> {
  const [out = 1, input = 1, height = 1, width = 1] = torchShape(spec);
  return reverseAxes(values, out, input, height * width);
}

/** Reorders a parameter's values from our order to PyTorch's. */
export function toTorchOrder(values: Float32Array, spec: ParameterSpec): Float32Array<ArrayBuffer> {
  const [out = 1, input = 1, height = 1, width = 1] = torchShape(spec);
  return reverseAxes(values, height * width, input, out);
}

/**
 * `[a, b, c]` to `[c, b, a]`. When the window's two axes count as one, every difference between the two orders has this
 * form.
 */
function reverseAxes(values: Float32Array, a: number, b: number, c: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let k = 0, target = 0; k < c; k++) {
    for (let j = 0; j < b; j++) {
      for (let i = 0, source = j * c + k; i < a; i++, source += b * c) result[target++] = values[source]!;
    }
  }
  return result;
}
