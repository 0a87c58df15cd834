import { createHash } from 'node:crypto';
import { decodePixels } from '../data/pixels.js';
import { KeyedRandom, Purpose } from '../data/random.js';
import { renderView, storePicture } from '../data/stored-picture.js';
import { trainingView } from '../data/views.js';
import { computeGradientAnywhere } from '../model/any-engine.js';
import { initialWeights } from '../model/initial.js';
import type { ModelLayout } from '../model/layout.js';
import type { Network } from '../model/network.js';
import { payloadArrays } from '../reduction/payload.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { bytesOf } from '../transport/bytes.js';
import { fixedMicrobatch } from './fixed-microbatch.js';
import { probeJpeg, probePng } from './probe-image.js';

const probeSeed = 20_211_004;

/**
 * SHA-256 (hex) over every result of one fixed microbatch of the run's network, and over the pixels of a partly
 * transparent PNG. A JPEG is decoded, resized and cropped like the run's pictures, and the rows are rotations of its
 * pixels. So the digest depends on decoder, resampler, kernels and loss. Two workers with the same digest compute the
 * same bits in a run.
 */
export async function probeDigest(
  network: Network,
  layout: ModelLayout,
  spec: TrainingRunSpec,
): Promise<string> {
  const random = new KeyedRandom(probeSeed);
  const { augmentation, model } = spec;
  const stored = await storePicture(
    probeJpeg,
    { crop: augmentation.crop, imageSize: model.imageSize },
    'of the probe',
  );
  const key = { purpose: Purpose.probe, iteration: 0, epoch: 0, anchor: 0 };
  const picture = await renderView(stored, trainingView(random, key, augmentation, stored), model.imageSize);
  network.setWeights(initialWeights(layout, random));
  const result = await computeGradientAnywhere(network, fixedMicrobatch(spec, picture, random));
  const hash = createHash('sha256')
    .update(picture)
    .update(await decodePixels(probePng, 8, 'of the probe'));
  for (const array of payloadArrays(result)) hash.update(bytesOf(array));
  return hash.digest('hex');
}
