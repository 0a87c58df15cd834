/**
 * The vocabulary that trunks are written in. A trunk is data: `layout.ts` derives the parameters from it and
 * `network.ts` the computation, so the two cannot disagree.
 */

/** What follows a BatchNorm. */
export type Activation = 'none' | 'relu' | 'relu6';

/**
 * Zeros around a convolution's input: a number puts that many on every side (PyTorch's rule), `same` pads to
 * ⌈size / stride⌉ outputs with the odd pixel at the bottom and right (TensorFlow's rule).
 */
export type Padding = 'same' | number;

interface FilterLayer {
  /** Name of the convolution; its weight's name is derived from it. */
  readonly name: string;
  /** Name of the BatchNorm behind it; no convolution has a bias of its own. */
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

/** Convolution of every channel with a kernel of its own, BatchNorm, activation. */
export interface DepthwiseLayer extends FilterLayer {
  readonly kind: 'depthwise';
}

/** Largest value of each window; windows that reach over the border see only the pixels inside. */
export interface MaxPoolLayer {
  readonly kind: 'maxPool';
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
}

/** relu(main(x) + shortcut(x)); main's last layer has no activation of its own, an empty shortcut is the identity. */
export interface ResidualLayer {
  readonly kind: 'residual';
  readonly main: readonly [...Layer[], ConvolutionLayer & { readonly activation: 'none' }];
  readonly shortcut: readonly Layer[];
}

export type Layer = ConvolutionLayer | DepthwiseLayer | MaxPoolLayer | ResidualLayer;

/** Whose names the tensors carry, and so whose weight files fit. */
export type Naming = 'torchvision' | 'keras';

/** How RGB bytes become a network's input: by ImageNet's means and deviations, or scaled to [-1, 1]. */
export type Preprocessing = 'imagenet' | 'symmetric';

/** A network up to its last feature map. */
export interface Trunk {
  /** As it is called in messages, for example `resnet18`. */
  readonly title: string;
  readonly naming: Naming;
  readonly preprocessing: Preprocessing;
  /** Added to the variance by every BatchNorm. */
  readonly epsilon: number;
  readonly layers: readonly Layer[];
}
