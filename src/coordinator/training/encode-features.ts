import { describeRunModel, localFeatureCount } from '../../model/layout.js';
import type { OutgoingWeights } from '../dispatch/outgoing-weights.js';
import {
  type EncodeContext,
  type EncodeRequest,
  encodeOnWorkers,
  refuseValues,
} from './encode-on-workers.js';

/**
 * Encodes the pooled features of images.
 * @param images positions in the split
 * @returns `[images, dimension]`, in the order of `images`; rejects with the signal's reason when aborted
 */
export function encodeFeatures(
  context: EncodeContext,
  weights: OutgoingWeights,
  split: EncodeRequest['split'],
  images: Uint32Array,
  verification: EncodeRequest['verification'],
): Promise<Float32Array<ArrayBuffer>> {
  const request = { output: 'FEATURES', split, images, verification } as const;
  return encodeFloats(context, weights, request, featureDimension(context.spec));
}

/**
 * Encodes the local features of training images.
 * @param images positions in the train split
 * @returns `[images, parts, width]`, in the order of `images`; rejects with the signal's reason when aborted
 */
export function encodeLocalFeatures(
  context: EncodeContext,
  weights: OutgoingWeights,
  images: Uint32Array,
  verification: EncodeRequest['verification'],
): Promise<Float32Array<ArrayBuffer>> {
  const request = { output: 'LOCAL_FEATURES', split: 'TRAIN', images, verification } as const;
  return encodeFloats(context, weights, request, localFeatureSize(context.spec));
}

async function encodeFloats(
  context: EncodeContext,
  weights: OutgoingWeights,
  request: Pick<EncodeRequest, 'output' | 'split' | 'images' | 'verification'>,
  numbersPerImage: number,
): Promise<Float32Array<ArrayBuffer>> {
  const encoded = await encodeOnWorkers(context, weights, {
    ...request,
    bytesPerImage: 4 * numbersPerImage,
    implausible: refuseValues('feature', Number.isFinite, 'a finite number'),
  });
  return new Float32Array(encoded);
}

/** Numbers of all local features of one image, where the network has some. */
export function localFeatureSize(spec: EncodeContext['spec']): number {
  return localFeatureCount(describeRunModel(spec));
}

/** Number of pooled features of one image. */
export function featureDimension(spec: EncodeContext['spec']): number {
  return describeRunModel(spec).featureWidth;
}
