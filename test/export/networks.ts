import type { ExportedNetwork } from '../../src/export/network.js';
import type { ConvolutionLayer, Trunk } from '../../src/model/architecture.js';
import { describeNetwork, type NetworkLayout, trunkOf } from '../../src/model/layout.js';
import { goldenWeights } from '../golden/networks.js';

/** Odd, so that every rounding of sizes and every uneven padding occurs. */
const size = { height: 37, width: 37, bits: 12 };

function convolution<A extends 'relu' | 'none'>(
  prefix: string,
  kernel: number,
  stride: number,
  filters: number,
  activation: A,
): ConvolutionLayer & { readonly activation: A } {
  const padding = (kernel - 1) / 2;
  return {
    kind: 'convolution',
    name: `${prefix}.0`,
    batchNorm: `${prefix}.1`,
    kernel,
    stride,
    padding,
    filters,
    activation,
  };
}

/** Every kind of layer of a ResNet, with few channels. */
const smallResnet: Trunk = {
  title: 'small residual network',
  naming: 'torchvision',
  preprocessing: 'imagenet',
  epsilon: 1e-5,
  layers: [
    convolution('stem', 7, 2, 6, 'relu'),
    { kind: 'maxPool', size: 3, stride: 2, padding: 1 },
    {
      kind: 'residual',
      main: [convolution('a.1', 3, 1, 6, 'relu'), convolution('a.2', 3, 1, 6, 'none')],
      shortcut: [],
    },
    {
      kind: 'residual',
      main: [convolution('b.1', 3, 2, 10, 'relu'), convolution('b.2', 3, 1, 10, 'none')],
      shortcut: [convolution('b.shortcut', 1, 2, 10, 'none')],
    },
  ],
};

const mobilenet = trunkOf('mobilenet_v1', 0.25);
const threeParts = { parts: 3, terms: [] };

/** A network of each family, and of each head. */
export const exportedLayouts = {
  resnet: describeNetwork(smallResnet, size),
  mobilenet: describeNetwork(mobilenet, size),
  pyramids: describeNetwork(mobilenet, size, 'pyramids'),
  saliency: describeNetwork(mobilenet, size, 'saliency'),
  parts: describeNetwork(smallResnet, size, threeParts),
  'parts of a MobileNet': describeNetwork(mobilenet, size, threeParts),
} as const satisfies Readonly<Record<string, NetworkLayout>>;

/** A network with weights that no layer hides. */
export function exportedNetwork(layout: NetworkLayout): ExportedNetwork {
  return { layout, weights: goldenWeights(layout, 'exported'), metadata: { run: 'golden' } };
}

/** Pictures of random bytes `[count, height, width, 3]` */
export function exportedPictures({ height, width }: NetworkLayout, count: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: count * height * width * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}
