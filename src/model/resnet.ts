import type { Activation, ConvolutionLayer, Layer, ResidualLayer, Trunk } from './architecture.js';

type Depth = 18 | 50;

/** Residual blocks of each of the four stages. */
const blocks: Readonly<Record<Depth, readonly number[]>> = { 18: [2, 2, 2, 2], 50: [3, 4, 6, 3] };

/**
 * ResNet (He et al. 2016) in torchvision's structure and names: 7 × 7 stem, symmetric padding, epsilon 1e-5.
 * Bottlenecks have the stride in the 3 × 3 convolution.
 */
export function resnetTrunk(depth: Depth): Trunk {
  const layers: Layer[] = [
    convolution('', 1, { kernel: 7, stride: 2, filters: 64, activation: 'relu' }),
    // Its input is the output of a ReLU, so padding with zeros gives the same maxima.
    { kind: 'maxPool', size: 3, stride: 2, padding: 1 },
  ];
  const block = depth === 18 ? basicBlock : bottleneck;
  let channels = 64;
  blocks[depth].forEach((count, stage) => {
    for (let index = 0; index < count; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const prefix = `layer${stage + 1}.${index}.`;
      const { main, filters } = block(prefix, 64 * 2 ** stage, stride);
      const changesShape = stride !== 1 || channels !== filters;
      const shortcut = changesShape ? [projection(prefix, filters, stride)] : [];
      layers.push({ kind: 'residual', main, shortcut });
      channels = filters;
    }
  });
  return { title: `resnet${depth}`, naming: 'torchvision', preprocessing: 'imagenet', epsilon: 1e-5, layers };
}

interface Block {
  readonly main: ResidualLayer['main'];
  readonly filters: number;
}

function basicBlock(prefix: string, width: number, stride: number): Block {
  return {
    main: [
      convolution(prefix, 1, { kernel: 3, stride, filters: width, activation: 'relu' }),
      convolution(prefix, 2, { kernel: 3, stride: 1, filters: width, activation: 'none' }),
    ],
    filters: width,
  };
}

function bottleneck(prefix: string, width: number, stride: number): Block {
  return {
    main: [
      convolution(prefix, 1, { kernel: 1, stride: 1, filters: width, activation: 'relu' }),
      convolution(prefix, 2, { kernel: 3, stride, filters: width, activation: 'relu' }),
      convolution(prefix, 3, { kernel: 1, stride: 1, filters: 4 * width, activation: 'none' }),
    ],
    filters: 4 * width,
  };
}

function convolution<A extends Activation>(
  prefix: string,
  index: number,
  shape: { kernel: number; stride: number; filters: number; activation: A },
): ConvolutionLayer & { readonly activation: A } {
  return {
    kind: 'convolution',
    name: `${prefix}conv${index}`,
    batchNorm: `${prefix}bn${index}`,
    padding: (shape.kernel - 1) / 2,
    ...shape,
  };
}

function projection(prefix: string, filters: number, stride: number): ConvolutionLayer {
  return {
    kind: 'convolution',
    name: `${prefix}downsample.0`,
    batchNorm: `${prefix}downsample.1`,
    kernel: 1,
    stride,
    padding: 0,
    filters,
    activation: 'none',
  };
}
