import { packCodes, signCodes, wordsPerCode } from '../hashing/codes.js';
import { encodeImagesAnywhere, trainingOutputsAnywhere } from '../model/any-engine.js';
import { localFeatureCount, type ModelLayout } from '../model/layout.js';
import type { Network } from '../model/network.js';
import { colorHistogram, histogramBins } from '../retrieval/histogram.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { arrayFrom, bytesOf } from '../transport/bytes.js';
import type { EncodeWork__Output } from '../transport/generated/fcaenet/v1/EncodeWork.js';
import { WorkerError } from './error.js';
import { type RowViews, viewsOfRows } from './images/rows.js';
import type { ImageSource } from './images/source.js';

/** What encode work needs besides its message. */
export interface EncodeContext {
  readonly spec: TrainingRunSpec;
  readonly network: Network;
  readonly images: Record<'TRAIN' | 'TEST', { readonly source: ImageSource; readonly count: number }>;
}

/** Bytes of one image's output. */
export function bytesPerEncodedImage(output: EncodeWork__Output['output'], layout: ModelLayout): number {
  const { bits, outputs, featureWidth } = layout;
  const words = {
    CODES: wordsPerCode(bits),
    OUTPUTS: bits,
    FEATURES: featureWidth,
    COLOR_HISTOGRAM: histogramBins,
    TRAINING: outputs,
    LOCAL_FEATURES: localFeatureCount(layout),
  };
  return 4 * words[output];
}

/**
 * Computes one batch of encode work: packed codes sign(u) (uint32 words), the outputs u themselves (float32), pooled
 * features (float32), local ones (float32), colour histograms (uint32), or z of a microbatch in train mode (float32), one after another in
 * the order of the images.
 * @throws WorkerError when an image is outside the split
 */
export async function computeEncodeWork(
  context: EncodeContext,
  work: EncodeWork__Output,
): Promise<Uint8Array> {
  const { spec, network } = context;
  const { source, count } = context.images[work.split];
  const indices = arrayFrom(Int32Array, work.images, 'the images of an encode batch');
  const outside = indices.find((index) => index < 0 || index >= count);
  if (outside !== undefined) {
    throw new WorkerError(
      'WORKER_BAD_WORK',
      `encode batch ${work.batch} names image ${outside} of a split of ${count}`,
    );
  }
  const pixels = await source.read(indices, viewsOfBatch(spec, work, indices));
  if (work.output === 'COLOR_HISTOGRAM') {
    const size = pixels.length / indices.length;
    const histograms = new Uint32Array(indices.length * histogramBins);
    indices.forEach((_, i) => {
      histograms.set(colorHistogram(pixels.subarray(i * size, (i + 1) * size)), i * histogramBins);
    });
    return bytesOf(histograms);
  }
  if (work.output === 'TRAINING') {
    return bytesOf(await trainingOutputsAnywhere(network, pixels, indices.length));
  }
  const { u, features, local } = await encodeImagesAnywhere(network, pixels, indices.length);
  if (work.output === 'LOCAL_FEATURES') return bytesOf(local ?? noLocalFeatures(spec));
  if (work.output === 'FEATURES') return bytesOf(features);
  return bytesOf(work.output === 'OUTPUTS' ? u : packCodes(signCodes(u), spec.bits));
}

function noLocalFeatures({ method }: TrainingRunSpec): never {
  throw new WorkerError(
    'WORKER_BAD_WORK',
    `the coordinator asks for local features, which ${method} has not`,
  );
}

/** The views of an encode batch's pictures: those of a step for its microbatch, else those of queries. */
export function viewsOfBatch(
  { augmentation }: TrainingRunSpec,
  { position }: EncodeWork__Output,
  indices: Int32Array,
): RowViews | null {
  return position && viewsOfRows(augmentation, position, indices).anchors;
}
