/**
 * The layer types of a trunk. A trunk is data: `layout.ts` derives the parameters from it and `network.ts` the
 * computation, so the two cannot disagree.
 */

/** What follows a BatchNorm. */
export type Activation = 'none' | 'relu' | 'relu6';

/**
 * Zeros around a convolution's input: a number adds that many on every side (PyTorch's rule), `same` pads to ⌈size /
 * stride⌉ outputs with the odd pixel at the bottom and right (TensorFlow's rule).
 */
export type Padding = 'same' | number;

interface FilterLayer {
  /** Name of the convolution; its weight's name is derived from it. */
  readonly name: string;
  /** Name of the BatchNorm after it. Convolutions have no bias. */
  readonly batchNorm: string;
  /** Side of the square kernel. */
  readonly kernel: number;
  readonly stride: number;
  readonly padding: Padding;
  readonly activation: Activation;
}

/** Convolution, BatchNorm, activation. */
export interface ConvolutionLayer extends FilterLayer {
  readonly kind: 'convolution';
  /** Output channels. */
  readonly filters: number;
}

/** A convolution with one kernel per channel, BatchNorm, activation. */
export interface DepthwiseLayer extends FilterLayer {
  readonly kind: 'depthwise';
}

/** Largest value of each window. At the border only the pixels inside the image count. */
export interface MaxPoolLayer {
  readonly kind: 'maxPool';
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
}

/** relu(main(x) + shortcut(x)). main's last layer has no activation of its own. An empty shortcut is the identity. */
export interface ResidualLayer {
  readonly kind: 'residual';
  readonly main: readonly [...Layer[], ConvolutionLayer & { readonly activation: 'none' }];
  readonly shortcut: readonly Layer[];
}

export type Layer = ConvolutionLayer | DepthwiseLayer | MaxPoolLayer | ResidualLayer;

/** The naming of the tensors, and so of the weight files. */
export type Naming = 'torchvision' | 'keras';

/** How RGB bytes become a network's input: by ImageNet's means and deviations, or scaled to [-1, 1]. */
export type Preprocessing = 'imagenet' | 'symmetric';

/** A network up to its last feature map. */
export interface Trunk {
  /** Name in messages, for example `resnet18`. */
  readonly title: string;
  readonly naming: Naming;
  readonly preprocessing: Preprocessing;
  /** Added to the variance by every BatchNorm. */
  readonly epsilon: number;
  readonly layers: readonly Layer[];
}
