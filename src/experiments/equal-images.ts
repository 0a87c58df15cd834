import { featureMethod, imagesPerAnchor } from '../methods/methods.js';
import type { TrainingRunSpec } from '../run/training-run.js';

/** P of docs/comparison.md: images per anchor of the method of a table that passes the most. */
export function mostImagesPerAnchor(specs: readonly TrainingRunSpec[]): number {
  return Math.max(
    1,
    ...specs.filter(({ method }) => !featureMethod(method)).map(({ method }) => imagesPerAnchor(method)),
  );
}

/**
 * Epochs per iteration with which a method sees as many images as one with `most` images per anchor sees with the
 * run file's epochs: epochs · P / p, rounded, halves up.
 */
export function equalImageEpochs({ method, schedule }: TrainingRunSpec, most: number): number {
  if (featureMethod(method)) return schedule.epochs;
  return Math.round((schedule.epochs * most) / imagesPerAnchor(method));
}
