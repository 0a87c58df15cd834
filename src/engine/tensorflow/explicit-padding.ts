import type { NamedAttrMap, NamedTensorInfoMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

type Padding4D = [[number, number], [number, number], [number, number], [number, number]];
type Shape4D = [number, number, number, number];

/** A kernel on operands that need no padding any more. */
type Run = (inputs: { [name: string]: Tensor }, attributes: NamedAttrMap) => Tensor;

/** One kernel with zeros (or, for the maximum, the lowest number) laid around its operand beforehand. */
interface PaddedKernel {
  readonly name: string;
  /** Padding that these attributes ask for in numbers; null where the kernel knows it by name. */
  padding(inputs: { [name: string]: Tensor4D }, attributes: NamedAttrMap): Padding4D | null;
  compute(
    run: Run,
    inputs: { [name: string]: Tensor4D },
    attributes: NamedAttrMap,
    padding: Padding4D,
  ): Tensor;
}

/** Below every activation, so that padding is never a window's largest value. */
const lowestFloat = -3.4028234663852886e38;

/**
 * tfjs-node refuses padding given in one number for the convolution, its gradients and pooling. These kernels of the
 * backend are replaced by ones that lay the padding around the operand, compute without padding, and cut it off a
 * gradient. Calling it again is harmless.
 */
export function registerExplicitPadding(backendName: string): void {
  for (const kernel of [convolution, inputGradient, filterGradient, maxPool, maxPoolGradient]) {
    replace(kernel, backendName);
  }
}

const replaced = new Set<string>();

function replace({ name, padding, compute }: PaddedKernel, backendName: string): void {
  const original = tf.getKernel(name, backendName);
  if (!original || replaced.has(name)) return;
  replaced.add(name);
  tf.unregisterKernel(name, backendName);
  tf.registerKernel({
    ...original,
    kernelFunc: (parameters) => {
      const inputs = parameters.inputs as { [name: string]: Tensor4D };
      const attributes = parameters.attrs ?? {};
      const around = padding(inputs, attributes);
      if (!around) return original.kernelFunc(parameters);
      const run: Run = (operands, changed) =>
        original.kernelFunc({
          inputs: operands as NamedTensorInfoMap,
          backend: parameters.backend,
          attrs: { ...attributes, ...changed, pad: 'valid' },
        }) as Tensor;
      return tf.tidy(() => compute(run, inputs, attributes, around));
    },
  });
}

const convolution: PaddedKernel = {
  name: tf.Conv2D,
  padding: ({ x, filter }, attributes) => convolutionPadding(x!.shape, filter!.shape, attributes),
  compute: (run, { x, filter }, _attributes, padding) => run({ x: tf.pad(x!, padding), filter: filter! }, {}),
};

const inputGradient: PaddedKernel = {
  name: tf.Conv2DBackpropInput,
  padding: ({ filter }, attributes) =>
    convolutionPadding(attributes.inputShape as Shape4D, filter!.shape, attributes),
  compute: (run, { dy, filter }, attributes, padding) => {
    const inputShape = attributes.inputShape as Shape4D;
    const padded = inputShape.map((extent, axis) => extent + padding[axis]![0] + padding[axis]![1]);
    return inside(run({ dy: dy!, filter: filter! }, { inputShape: padded }), inputShape, padding);
  },
};

const filterGradient: PaddedKernel = {
  name: tf.Conv2DBackpropFilter,
  padding: ({ x }, attributes) => convolutionPadding(x!.shape, attributes.filterShape as Shape4D, attributes),
  compute: (run, { x, dy }, _attributes, padding) => run({ x: tf.pad(x!, padding), dy: dy! }, {}),
};

const maxPool: PaddedKernel = {
  name: tf.MaxPool,
  padding: ({ x }, attributes) => poolPadding(x!.shape, attributes),
  compute: (run, { x }, _attributes, padding) => run({ x: tf.pad(x!, padding, lowestFloat) }, {}),
};

const maxPoolGradient: PaddedKernel = {
  name: tf.MaxPoolGrad,
  padding: ({ input }, attributes) => poolPadding(input!.shape, attributes),
  compute: (run, { dy, input, output }, _attributes, padding) =>
    inside(
      run({ dy: dy!, input: tf.pad(input!, padding, lowestFloat), output: output! }, {}),
      input!.shape,
      padding,
    ),
};

function convolutionPadding(x: Shape4D, filter: Shape4D, attributes: NamedAttrMap): Padding4D | null {
  const { strides, pad, dimRoundingMode } = attributes as {
    strides: number;
    pad: number;
    dimRoundingMode: 'floor';
  };
  return explicit(tf.backend_util.computeConv2DInfo(x, filter, strides, 1, pad, dimRoundingMode));
}

function poolPadding(x: Shape4D, attributes: NamedAttrMap): Padding4D | null {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as {
    filterSize: number;
    strides: number;
    pad: number;
    dimRoundingMode: 'floor';
  };
  return explicit(tf.backend_util.computePool2DInfo(x, filterSize, strides, 1, pad, dimRoundingMode));
}

function explicit({ padInfo }: tf.backend_util.Conv2DInfo): Padding4D | null {
  const { type, top, bottom, left, right } = padInfo;
  if (type === 'SAME' || type === 'VALID') return null;
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

/** What of a padded tensor lies inside the padding. */
function inside(padded: Tensor, shape: Shape4D, padding: Padding4D): Tensor {
  return tf.slice(padded as Tensor4D, padding.map(([before]) => before) as Shape4D, shape);
}
