import { type KeyedRandom, Purpose } from '../data/random.js';
import { signCodes } from '../hashing/codes.js';
import { summarizeCodes } from '../hashing/similarity.js';
import { codesPerImage, pairLoss, usesPositives } from '../methods/methods.js';
import { exchangeOf } from '../model/exchnet/exchange.js';
import type { GradientInput } from '../model/fcaenet.js';
import { describeRunModel } from '../model/layout.js';
import { microbatchRows } from '../model/microbatch-memory.js';
import type { TrainingRunSpec } from '../run/training-run.js';

const classCount = 3;
const databaseSize = 24;

/**
 * A microbatch of the run's size that is the same on every worker. Its rows are rotations of one picture, and no two
 * are equal.
 * @param picture uint8 `[imageSize, imageSize, 3]`
 */
export function fixedMicrobatch(
  spec: TrainingRunSpec,
  picture: Uint8Array,
  random: KeyedRandom,
): GradientInput<Uint8Array> {
  const rows = microbatchRows(spec);
  const shared = {
    anchors: rotations(spec, picture, rows, 0),
    positives: usesPositives(spec.method) ? rotations(spec, picture, rows, rows) : null,
    labels: Int32Array.from({ length: rows }, (_, i) => i % classCount),
    method: spec.method,
    erasing: spec.erasing,
    batchNormalisation: spec.batchNormalisation,
  };
  if (pairLoss(spec.method)) {
    const length = rows * spec.bits * codesPerImage(spec.method);
    const noise = (_: unknown, i: number) => (random.unit(Purpose.probe, 0, 0, i) - 0.5) / rows;
    return { ...shared, outputGradient: Float32Array.from({ length }, noise) };
  }
  const codes = signCodes(
    Float32Array.from(
      { length: databaseSize * spec.bits },
      (_, i) => random.unit(Purpose.probe, 0, 0, i) - 0.5,
    ),
  );
  const summary = summarizeCodes({
    codes,
    labels: Int32Array.from({ length: databaseSize }, (_, i) => i % classCount),
    bits: spec.bits,
    classCount,
    ratio: 1 / (classCount - 1),
  });
  return {
    ...shared,
    ownCodes: Int8Array.from({ length: rows * spec.bits }, (_, i) => codes[i % codes.length]!),
    summary,
    batchRows: rows,
    ...exchangeOfProbe(spec, shared.labels, random),
    gamma: spec.loss.gamma,
    alpha: spec.loss.alpha,
    beta: spec.loss.beta,
  };
}

/** Half of the parts exchanged, where the method's network exchanges local features. */
function exchangeOfProbe(spec: TrainingRunSpec, labels: Int32Array, random: KeyedRandom) {
  const { own, featureWidth } = describeRunModel(spec);
  if (!own) return {};
  const length = classCount * own.parts * featureWidth;
  const exchange = exchangeOf({
    settings: spec.exchnet,
    own,
    featureWidth,
    labels,
    batchRows: labels.length,
    exchanged: Uint32Array.from(labels, (_, row) => (row % 2 === 0 ? 0x5555 : 0xaaaa)),
    anchored: Float32Array.from({ length }, (_, i) => random.unit(Purpose.probe, 2, 0, i)),
  });
  return { exchange };
}

/** Copies of a picture `[rows, size, size, 3]`, each rotated by a different number of lines. */
function rotations({ model }: TrainingRunSpec, picture: Uint8Array, rows: number, shift: number) {
  const pixels = new Uint8Array(rows * picture.length);
  for (let row = 0; row < rows; row++) {
    const offset = (((row + shift) * 7) % model.imageSize) * model.imageSize * 3;
    pixels.set(picture.subarray(offset), row * picture.length);
    pixels.set(picture.subarray(0, offset), row * picture.length + picture.length - offset);
  }
  return pixels;
}
