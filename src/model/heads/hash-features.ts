import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { NetworkHead, TrainedMethod } from '../../methods/method.js';
import type { HeadInput } from './head-input.js';
import { pyramidFeatures } from './pyramids.js';

const heads: Readonly<Record<NetworkHead, (input: HeadInput) => Tensor2D>> = {
  pooled: ({ pooled }) => pooled,
  pyramids: pyramidFeatures,
  saliency: ({ pooled }) => pooled,
};

/** The features that a head gives the hash layer `[rows, width]`. */
export function hashFeatures(name: TrainedMethod['head'], input: HeadInput): Tensor2D {
  // The network has other features for the parts, before this is called.
  return heads[name as NetworkHead](input);
}
