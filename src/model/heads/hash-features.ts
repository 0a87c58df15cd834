import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { NetworkHead } from '../../methods/method.js';

/** What a head makes features of. */
export interface HeadInput {
  /** The last feature map's mean over height and width `[rows, channels]` */
  readonly pooled: Tensor2D;
  /** What the branches give, each `[rows, height, width, channels]` */
  readonly branches: readonly Tensor4D[];
}

const heads: Readonly<Record<NetworkHead, (input: HeadInput) => Tensor2D>> = {
  pooled: ({ pooled }) => pooled,
};

/** The features that a head gives the hash layer `[rows, width]`. */
export function hashFeatures(name: NetworkHead, input: HeadInput): Tensor2D {
  return heads[name](input);
}
