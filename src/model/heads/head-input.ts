import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';

/** What a head makes features of. */
export interface HeadInput {
  /** The last feature map's mean over height and width `[rows, channels]` */
  readonly pooled: Tensor2D;
  /** What the branches give, each `[rows, height, width, channels]` */
  readonly branches: readonly Tensor4D[];
}
