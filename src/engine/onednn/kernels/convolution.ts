import * as tf from '@tensorflow/tfjs-core';
import type { KernelCall, NativeKernel } from './kernel.js';

type Shape4 = [number, number, number, number];
type ConvolutionInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** The native functions read it before they return, so all calls share one array. */
const geometry = new Int32Array(13);

function setGeometry(info: ConvolutionInfo): Int32Array {
  geometry[0] = info.batchSize;
  geometry[1] = info.inHeight;
  geometry[2] = info.inWidth;
  geometry[3] = info.inChannels;
  geometry[4] = info.outHeight;
  geometry[5] = info.outWidth;
  geometry[6] = info.outChannels;
  geometry[7] = info.filterHeight;
  geometry[8] = info.filterWidth;
  geometry[9] = info.strideHeight;
  geometry[10] = info.strideWidth;
  geometry[11] = info.padInfo.top;
  geometry[12] = info.padInfo.left;
  return geometry;
}

function describe(
  call: KernelCall,
  inputShape: number[],
  filterShape: number[],
  depthwise: boolean,
): ConvolutionInfo | undefined {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = call.attrs;
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as Shape4,
    filterShape as Shape4,
    strides as [number, number],
    (dilations ?? 1) as number,
    pad as number,
    dimRoundingMode as 'floor' | undefined,
    depthwise,
    tf.backend_util.convertConv2DDataFormat((dataFormat ?? 'NHWC') as 'NHWC'),
  );
  const plain =
    info.dataFormat === 'channelsLast' &&
    info.dilationHeight === 1 &&
    info.dilationWidth === 1 &&
    info.batchSize > 0 &&
    (!depthwise || info.outChannels === info.inChannels);
  return plain ? info : undefined;
}

function forward(depthwise: boolean): NativeKernel {
  return (call) => {
    const { backend } = call;
    const { x, filter } = call.inputs;
    const info = describe(call, x!.shape, filter!.shape, depthwise);
    if (!info) {
      return undefined;
    }
    const y = backend.output(info.outShape);
    const run = depthwise ? backend.addon.depthwise : backend.addon.convolution;
    run(backend.floats(x!), backend.floats(filter!), y.values, setGeometry(info));
    return y.info;
  };
}

function inputGradient(depthwise: boolean): NativeKernel {
  return (call) => {
    const { backend } = call;
    const { dy, filter } = call.inputs;
    const info = describe(call, call.attrs.inputShape as number[], filter!.shape, depthwise);
    if (!info) {
      return undefined;
    }
    const dx = backend.output(info.inShape);
    const run = depthwise ? backend.addon.depthwiseInput : backend.addon.convolutionInput;
    run(backend.floats(dy!), backend.floats(filter!), dx.values, setGeometry(info));
    return dx.info;
  };
}

function filterGradient(depthwise: boolean): NativeKernel {
  return (call) => {
    const { backend } = call;
    const { x, dy } = call.inputs;
    const info = describe(call, x!.shape, call.attrs.filterShape as number[], depthwise);
    if (!info) {
      return undefined;
    }
    const dFilter = backend.output(call.attrs.filterShape as number[]);
    const run = depthwise ? backend.addon.depthwiseFilter : backend.addon.convolutionFilter;
    run(backend.floats(x!), backend.floats(dy!), dFilter.values, setGeometry(info));
    return dFilter.info;
  };
}

function describePool(call: KernelCall, inputShape: number[]): ConvolutionInfo | undefined {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs;
  const info = tf.backend_util.computePool2DInfo(
    inputShape as Shape4,
    filterSize as number,
    strides as number,
    1,
    pad as number,
    dimRoundingMode as 'floor' | undefined,
  );
  return info.batchSize > 0 ? info : undefined;
}

const maxPool: NativeKernel = (call) => {
  const { backend } = call;
  const x = call.inputs.x!;
  const info = describePool(call, x.shape);
  if (!info || x.dtype !== 'float32') {
    return undefined;
  }
  const y = backend.output(info.outShape);
  backend.addon.maxPool(backend.floats(x), y.values, setGeometry(info));
  return y.info;
};

const maxPoolGradient: NativeKernel = (call) => {
  const { backend } = call;
  const { dy, input, output } = call.inputs;
  const info = describePool(call, input!.shape);
  if (!info || input!.dtype !== 'float32') {
    return undefined;
  }
  const dx = backend.output(info.inShape);
  backend.addon.maxPoolInput(
    backend.floats(input!),
    backend.floats(output!),
    backend.floats(dy!),
    dx.values,
    setGeometry(info),
  );
  return dx.info;
};

/** Convolution, depthwise convolution (channel multiplier 1) and max pooling in NHWC without dilation. */
export const convolutionKernels: { [name: string]: NativeKernel } = {
  Conv2D: forward(false),
  Conv2DBackpropInput: inputGradient(false),
  Conv2DBackpropFilter: filterGradient(false),
  DepthwiseConv2dNative: forward(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
};
