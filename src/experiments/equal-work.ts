import { featureMethod, imagesPerAnchor } from '../methods/methods.js';
import type { TrainingRunSpec } from '../run/training-run.js';
import type { Equality } from './cell.js';

/** What the methods of a table have in common at one code length; docs/comparison.md defines both. */
export interface EqualWork {
  /** Optimiser steps of the first method that trains. */
  readonly steps: number;
  /** The most images that a method passes forward and backward in that many steps. */
  readonly images: number;
}

/** @param specs of all methods of a table, as the run file and the methods say, the reference first */
export function equalWork(specs: readonly TrainingRunSpec[]): EqualWork {
  const trained = specs.filter(({ method }) => !featureMethod(method));
  const [reference] = trained;
  if (reference === undefined) return { steps: 0, images: 0 };
  const { iterations, epochs } = reference.schedule;
  const steps = iterations * epochs * stepsPerEpoch(reference);
  const images = trained.map(
    (spec) => spec.schedule.iterations * epochsForSteps(spec, steps) * imagesPerEpoch(spec),
  );
  return { steps, images: Math.max(...images) };
}

/** Epochs per iteration of a method at an equality: the nearest whole number, halves up, and at least 1. */
export function equalEpochs(spec: TrainingRunSpec, equality: Equality, work: EqualWork): number {
  if (featureMethod(spec.method) || equality === 'none') return spec.schedule.epochs;
  if (equality === 'steps') return epochsForSteps(spec, work.steps);
  return atLeastOne(work.images / (spec.schedule.iterations * imagesPerEpoch(spec)));
}

function epochsForSteps(spec: TrainingRunSpec, steps: number): number {
  return atLeastOne(steps / (spec.schedule.iterations * stepsPerEpoch(spec)));
}

function atLeastOne(epochs: number): number {
  return Math.max(1, Math.round(epochs));
}

function stepsPerEpoch({ dataset, schedule }: TrainingRunSpec): number {
  return Math.ceil(dataset.sampleSize / schedule.batchSize);
}

function imagesPerEpoch({ dataset, method }: TrainingRunSpec): number {
  return dataset.sampleSize * imagesPerAnchor(method);
}
