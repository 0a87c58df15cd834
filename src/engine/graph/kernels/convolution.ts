import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Attribute } from '../graph.js';
import { integers } from '../operations.js';
import { floats, floatType, type GraphKernel } from './kernel.js';

type Shape4D = [number, number, number, number];
type Attributes = { readonly [name: string]: Attribute };
type Information = tf.backend_util.Conv2DInfo;

function convolution(operation: string, depthwise: boolean) {
  const information = (x: readonly number[], filter: readonly number[], attributes: NamedAttrMap) => {
    const { strides, pad, dimRoundingMode } = attributes as {
      strides: number;
      pad: 'same' | number;
      dimRoundingMode: 'floor';
    };
    const padded = (by: 'same' | number) =>
      tf.backend_util.computeConv2DInfo(
        [...x] as Shape4D,
        [...filter] as Shape4D,
        strides,
        1,
        by,
        dimRoundingMode,
        depthwise,
      );
    return byName(padded(pad), padded('same'));
  };
  const forward: GraphKernel = ({ inputs, attrs, graph }) => {
    const { x, filter } = inputs;
    const info = information(x!.shape, filter!.shape, attrs);
    return graph.one(operation, [x!, filter!], floats(info.outShape), { attributes: windows(info) });
  };
  const inputGradient: GraphKernel = ({ inputs, attrs, graph }) => {
    const { dy, filter } = inputs;
    const shape = attrs.inputShape as Shape4D;
    const attributes = windows(information(shape, filter!.shape, attrs));
    return graph.one(`${operation}BackpropInput`, [integers(graph, shape), filter!, dy!], floats(shape), {
      attributes,
    });
  };
  const filterGradient: GraphKernel = ({ inputs, attrs, graph }) => {
    const { x, dy } = inputs;
    const shape = attrs.filterShape as Shape4D;
    const attributes = windows(information(x!.shape, shape, attrs));
    return graph.one(`${operation}BackpropFilter`, [x!, integers(graph, shape), dy!], floats(shape), {
      attributes,
    });
  };
  return { forward, inputGradient, filterGradient };
}

/**
 * The same windows with TensorFlow's name for their padding, where it has one. On a processor it computes gradients of
 * padding in numbers with kernels that take several times as long.
 */
function byName(asked: Information, same: Information): Information {
  const { type, top, bottom, left, right } = asked.padInfo;
  if (type === 'SAME' || type === 'VALID') return asked;
  const named = same.padInfo;
  const equal = top === named.top && bottom === named.bottom && left === named.left && right === named.right;
  return equal ? same : asked;
}

/** Strides and padding in TensorFlow's words; TF.js gives both for height and width alike. */
function windows({ strideHeight, strideWidth, padInfo }: Information): Attributes {
  return { ...floatType, strides: { integers: [1, strideHeight, strideWidth, 1] }, ...padding(padInfo) };
}

function padding({ type, top, bottom, left, right }: Information['padInfo']): Attributes {
  if (type === 'SAME' || type === 'VALID') return { padding: { text: type } };
  if (top + bottom + left + right === 0) return { padding: { text: 'VALID' } };
  return {
    padding: { text: 'EXPLICIT' },
    explicit_paddings: { integers: [0, 0, top, bottom, left, right, 0, 0] },
  };
}

function pooling(shape: readonly number[], attrs: NamedAttrMap): Information {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as {
    filterSize: number;
    strides: number;
    pad: number;
    dimRoundingMode: 'floor';
  };
  return tf.backend_util.computePool2DInfo(
    [...shape] as Shape4D,
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
}

function poolWindows(info: Information): Attributes {
  return { ...windows(info), ksize: { integers: [1, info.filterHeight, info.filterWidth, 1] } };
}

const maxPool: GraphKernel = ({ inputs, attrs, graph }) => {
  const { x } = inputs;
  const info = pooling(x!.shape, attrs);
  return graph.one('MaxPool', [x!], floats(info.outShape), { attributes: poolWindows(info) });
};

const maxPoolGradient: GraphKernel = ({ inputs, attrs, graph }) => {
  const { dy, input, output } = inputs;
  const attributes = poolWindows(pooling(input!.shape, attrs));
  return graph.one('MaxPoolGrad', [input!, output!, dy!], floats(input!.shape), { attributes });
};

const full = convolution('Conv2D', false);
const depthwise = convolution('DepthwiseConv2dNative', true);

/** Convolutions and pooling with their gradients. */
export const convolutionKernels: { readonly [name: string]: GraphKernel } = {
  [tf.Conv2D]: full.forward,
  [tf.Conv2DBackpropInput]: full.inputGradient,
  [tf.Conv2DBackpropFilter]: full.filterGradient,
  [tf.DepthwiseConv2dNative]: depthwise.forward,
  [tf.DepthwiseConv2dNativeBackpropInput]: depthwise.inputGradient,
  [tf.DepthwiseConv2dNativeBackpropFilter]: depthwise.filterGradient,
  [tf.MaxPool]: maxPool,
  [tf.MaxPoolGrad]: maxPoolGradient,
};
