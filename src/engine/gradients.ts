import type { GradConfig, NamedAttrMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Name of the fused gradient of `relu` and `relu6`; a backend may register it. Inputs dy, y; attribute limit. */
export const reluGradientKernel = 'FcaenetReluGrad';

type NamedGradientMap = { [name: string]: () => Tensor };

type Gradient = (dy: Tensor, saved: Tensor[], attributes: NamedAttrMap) => NamedGradientMap;

/**
 * Registers the gradients of the operations that models may use: Add, AddN, AvgPool, BatchMatMul, Cast, Concat, Conv2D,
 * DepthwiseConv2dNative, Identity, MaxPool, Mean, Multiply, PadV2, RealDiv, Relu, Relu6, Reshape, Slice, Square, Sub,
 * Sum, Tanh, Transpose. tfjs-core's Node entry point has no gradients, and Node's ES modules cannot resolve its
 * `dist/register_all_gradients.js` (its imports have no extension), so they are defined here, the same for every
 * engine. Relu6 has derivative 0 at 6, as in PyTorch. A gradient that a caller passes in (`dy` of `tf.grads`) is
 * disposed. It may be called again.
 */
export function registerGradients(): void {
  for (const configuration of configurations()) {
    tf.registerGradient(configuration);
  }
}

function configurations(): GradConfig[] {
  return [
    fromInputs('Identity', [], (dy) => ({ x: () => tf.clone(dy) })),
    fromInputs('Cast', [], (dy) => ({ x: () => tf.cast(dy, 'float32') })),
    fromInputs('Reshape', ['x'], (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) })),
    fromInputs('Transpose', [], (dy, _saved, { perm }) => {
      const order = perm as number[];
      const undo = order.map((_axis, index) => order.indexOf(index));
      return { x: () => tf.transpose(dy, undo) };
    }),
    fromInputs('Add', ['a', 'b'], (dy, [a, b]) => ({
      a: () => reduceTo(dy, a!.shape),
      b: () => reduceTo(dy, b!.shape),
    })),
    fromInputs('Sub', ['a', 'b'], (dy, [a, b]) => ({
      a: () => reduceTo(dy, a!.shape),
      b: () => reduceTo(tf.neg(dy), b!.shape),
    })),
    fromInputs('Multiply', ['a', 'b'], (dy, [a, b]) => ({
      a: () => reduceTo(tf.mul(dy, b!), a!.shape),
      b: () => reduceTo(tf.mul(dy, a!), b!.shape),
    })),
    fromInputs('RealDiv', ['a', 'b'], (dy, [a, b]) => ({
      a: () => reduceTo(tf.div(dy, b!), a!.shape),
      b: () => reduceTo(tf.neg(tf.div(tf.mul(dy, a!), tf.square(b!))), b!.shape),
    })),
    fromInputs('Square', ['x'], (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(x!, 2)) })),
    fromInputs('Sum', ['x'], (dy, [x], { axis }) => ({ x: () => spread(dy, x!.shape, axis) })),
    fromInputs('Mean', ['x'], (dy, [x], { axis }) => ({
      x: () => spread(tf.div(dy, x!.size / dy.size), x!.shape, axis),
    })),
    fromInputs('PadV2', ['x'], (dy, [x], { paddings }) => {
      const begin = (paddings as [number, number][]).map(([before]) => before);
      return { x: () => tf.slice(dy, begin, x!.shape) };
    }),
    fromInputs('Slice', ['x'], (dy, [x], { begin }) => ({ x: () => padBack(dy, x!.shape, begin) })),
    fromInputs('BatchMatMul', ['a', 'b'], matMulGradient),
    fromInputs('Conv2D', ['x', 'filter'], (dy, [x, filter], attributes) => ({
      x: () => run('Conv2DBackpropInput', { dy, filter: filter! }, { ...attributes, inputShape: x!.shape }),
      filter: () => run('Conv2DBackpropFilter', { x: x!, dy }, { ...attributes, filterShape: filter!.shape }),
    })),
    fromInputs('DepthwiseConv2dNative', ['x', 'filter'], (dy, [x, filter], attributes) => ({
      x: () =>
        run(
          'DepthwiseConv2dNativeBackpropInput',
          { dy, filter: filter! },
          { ...attributes, inputShape: x!.shape },
        ),
      filter: () =>
        run(
          'DepthwiseConv2dNativeBackpropFilter',
          { x: x!, dy },
          { ...attributes, filterShape: filter!.shape },
        ),
    })),
    fromInputs('AvgPool', ['x'], (dy, [x], attributes) => ({
      x: () => run('AvgPoolGrad', { dy, input: x! }, attributes),
    })),
    {
      kernelName: 'MaxPool',
      inputsToSave: ['x'],
      outputsToSave: [true],
      gradFunc: single((dy, [x, y], attributes) => ({
        x: () => run('MaxPoolGrad', { dy, input: x!, output: y! }, attributes),
      })),
    },
    fromOutput('Relu', (dy, y) => reluGradient(dy, y, Number.POSITIVE_INFINITY)),
    fromOutput('Relu6', (dy, y) => reluGradient(dy, y, 6)),
    fromOutput('Tanh', (dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
    {
      kernelName: 'AddN',
      saveAllInputs: true,
      gradFunc: (dy, saved) =>
        Object.fromEntries(saved.map((_tensor, index) => [index, () => tf.clone(dy as Tensor)])),
    },
    {
      kernelName: 'Concat',
      saveAllInputs: true,
      gradFunc: (dy, saved, { axis }) => concatGradient(dy as Tensor, saved, axis as number),
    },
  ];
}

function single(gradient: Gradient): GradConfig['gradFunc'] {
  return (dy, saved, attributes) =>
    releasing(gradient(dy as Tensor, saved, attributes), [dy as Tensor, ...saved]);
}

/**
 * Disposes `used` when the last of the gradients has been computed. The tape would keep every gradient and every saved
 * tensor until the end of the backward pass. Each belongs to one operation, and no gradient here is the same tensor as
 * its source, so they can be disposed immediately. The next operation then reuses their memory while it is still in the
 * cache.
 */
function releasing(gradients: NamedGradientMap, used: Tensor[]): NamedGradientMap {
  const names = Object.keys(gradients);
  const last = names.at(-1)!;
  const compute = gradients[last]!;
  return {
    ...gradients,
    [last]: () => {
      const result = compute();
      for (const tensor of used) tensor.dispose();
      return result;
    },
  };
}

function fromInputs(kernelName: string, inputsToSave: string[], gradient: Gradient): GradConfig {
  return { kernelName, inputsToSave, gradFunc: single(gradient) };
}

/** Gradient of a unary operation from its own result. Keeps one tensor instead of two. */
function fromOutput(kernelName: string, gradient: (dy: Tensor, y: Tensor) => Tensor): GradConfig {
  return {
    kernelName,
    outputsToSave: [true],
    gradFunc: single((dy, [y]) => ({ x: () => gradient(dy, y!) })),
  };
}

/** dy where the result is inside (0, limit), else 0. One kernel, if the backend has it. */
export function reluGradient(dy: Tensor, y: Tensor, limit: number): Tensor {
  if (tf.getKernel(reluGradientKernel, tf.getBackend())) {
    return run(reluGradientKernel, { dy, y }, { limit });
  }
  return tf.mul(dy, tf.cast(tf.logicalAnd(tf.greater(y, 0), tf.less(y, limit)), 'float32'));
}

function run(kernelName: string, inputs: { [name: string]: Tensor }, attributes: NamedAttrMap): Tensor {
  return tf.engine().runKernel(kernelName, inputs, attributes) as Tensor;
}

/**
 * Sums `dy` over the axes along which an operand of `shape` was broadcast. Always returns a new tensor: the tape
 * disposes a gradient after adding it to another, and both operands of a sum may share one `dy`.
 */
function reduceTo(dy: Tensor, shape: number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, shape);
}

/** Repeats `dy` along the axes that a reduction of `shape` removed (all of them when `axis` is null). */
function spread(dy: Tensor, shape: number[], axis: unknown): Tensor {
  const axes = tf.util.parseAxisParam(
    (axis ?? shape.map((_size, index) => index)) as number | number[],
    shape,
  );
  const kept = shape.map((size, index) => (axes.includes(index) ? 1 : size));
  return tf.broadcastTo(tf.reshape(dy, kept), shape as [number]);
}

function padBack(dy: Tensor, shape: number[], begin: unknown): Tensor {
  const starts = begin as number[];
  const paddings = shape.map((size, index) => {
    const before = starts[index] ?? 0;
    return [before, size - before - dy.shape[index]!] as [number, number];
  });
  return tf.pad(dy, paddings);
}

function matMulGradient(dy: Tensor, saved: Tensor[], attributes: NamedAttrMap) {
  const [a, b] = saved as [Tensor, Tensor];
  const { transposeA, transposeB } = attributes as { transposeA: boolean; transposeB: boolean };
  return {
    a: () => (transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB)),
    b: () => (transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false)),
  };
}

function concatGradient(dy: Tensor, saved: Tensor[], axis: number): { [name: string]: () => Tensor } {
  const along = tf.util.parseAxisParam(axis, saved[0]!.shape)[0]!;
  let position = 0;
  return Object.fromEntries(
    saved.map((tensor, index) => {
      const begin = tensor.shape.map((_size, dimension) => (dimension === along ? position : 0));
      position += tensor.shape[along]!;
      return [
        index,
        () =>
          tf.slice(
            dy as Tensor4D,
            begin as [number, number, number, number],
            tensor.shape as [number, number, number, number],
          ),
      ];
    }),
  );
}
