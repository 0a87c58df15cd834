import { createHash } from 'node:crypto';
import { decodePixels } from '../data/pixels.js';
import { KeyedRandom, Purpose } from '../data/random.js';
import { signCodes } from '../hashing/codes.js';
import { summarizeCodes } from '../hashing/similarity.js';
import { computeGradient } from '../model/fcaenet.js';
import { initialWeights } from '../model/initial.js';
import type { ModelLayout } from '../model/layout.js';
import { usesPositives } from '../model/method.js';
import type { Network } from '../model/network.js';
import { normalizeImages } from '../model/preprocess.js';
import { payloadArrays } from '../reduction/payload.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import { bytesOf } from '../transport/bytes.js';
import { probeJpeg } from './probe-image.js';

const probeSeed = 20_211_004;
const probeClasses = 3;
const probeDatabase = 24;

/**
 * SHA-256 (hex) over everything that one fixed microbatch of the run's network produces: a JPEG is decoded and
 * resized, and the rows are rotations of its pixels, so that decoder, resampler, kernels and loss all leave their
 * mark. Two workers with the same digest give a run the same bits.
 */
export async function probeDigest(
  network: Network,
  layout: ModelLayout,
  spec: TrainingRunSpec,
): Promise<string> {
  const random = new KeyedRandom(probeSeed);
  const rows = Math.ceil(spec.schedule.batchSize / spec.schedule.microbatches);
  const size = spec.model.imageSize;
  const picture = await decodePixels(probeJpeg, size, 'of the probe');
  const batch = (shift: number) => {
    const pixels = new Uint8Array(rows * picture.length);
    for (let row = 0; row < rows; row++) {
      // Rotated by a different number of lines in each row, so that no two rows are equal.
      const offset = (((row + shift) * 7) % size) * size * 3;
      pixels.set(picture.subarray(offset), row * picture.length);
      pixels.set(picture.subarray(0, offset), row * picture.length + picture.length - offset);
    }
    return normalizeImages(pixels, spec.model.backbone);
  };
  const codes = signCodes(
    Float32Array.from(
      { length: probeDatabase * spec.bits },
      (_, i) => random.unit(Purpose.probe, 0, 0, i) - 0.5,
    ),
  );
  const summary = summarizeCodes({
    codes,
    labels: Int32Array.from({ length: probeDatabase }, (_, i) => i % probeClasses),
    bits: spec.bits,
    classCount: probeClasses,
    ratio: 1 / (probeClasses - 1),
  });
  network.setWeights(initialWeights(layout, random));
  const result = computeGradient(network, {
    anchors: batch(0),
    positives: usesPositives(spec.method) ? batch(rows) : null,
    labels: Int32Array.from({ length: rows }, (_, i) => i % probeClasses),
    ownCodes: Int8Array.from({ length: rows * spec.bits }, (_, i) => codes[i % codes.length]!),
    summary,
    batchRows: rows,
    method: spec.method,
    gamma: spec.loss.gamma,
    alpha: spec.loss.alpha,
    beta: spec.loss.beta,
    erasing: spec.erasing,
  });
  const hash = createHash('sha256').update(picture);
  for (const array of payloadArrays(result)) hash.update(bytesOf(array));
  return hash.digest('hex');
}
