import { adsh } from './adsh.js';
import { dash } from './dash.js';
import { dpsh } from './dpsh.js';
import { dsh } from './dsh.js';
import { exchnet } from './exchnet.js';
import { fph } from './fph.js';
import { hashnet } from './hashnet.js';
import type { FeatureMethod, PairLoss, PublishedTraining, TrainedMethod } from './method.js';

const ofThePaper = {
  kind: 'trained',
  head: 'pooled',
  pairs: null,
  databaseCodes: 'learned',
  firstCodes: 'random',
  terms: [],
  gamma: null,
  published: null,
  quickLearningRate: null,
} as const;

/**
 * Every method that `spec.method` may name. `baseline`, `srem`, `esrl` and `fcaenet` are in the order of the ablation
 * (method 1.12, reading A): ADSH alone, with SREM's term, with the positive's, both. The others are the paper's
 * comparisons (method 5): those that train the network, then those on features.
 */
const table = {
  baseline: { ...ofThePaper, positives: false, erasing: false },
  srem: { ...ofThePaper, positives: false, erasing: true },
  esrl: { ...ofThePaper, positives: true, erasing: false },
  fcaenet: { ...ofThePaper, positives: true, erasing: true },
  adsh,
  dpsh,
  dsh,
  hashnet,
  fph,
  dash,
  exchnet,
  lsh: { kind: 'features', load: async () => (await import('./lsh.js')).lsh },
  sh: { kind: 'features', load: async () => (await import('./sh.js')).sh },
  itq: { kind: 'features', load: async () => (await import('./itq.js')).itq },
  sdh: { kind: 'features', load: async () => (await import('./sdh.js')).sdh },
} as const satisfies Record<string, TrainedMethod | FeatureMethod>;

export type Method = keyof typeof table;
export const methods = Object.keys(table) as readonly Method[];

/** The method that learns from features; null for one that trains the network. */
export function featureMethod(method: Method): FeatureMethod | null {
  const found: TrainedMethod | FeatureMethod = table[method];
  return found.kind === 'features' ? found : null;
}

/** The method that trains the network; null for one on features. */
function trainedMethod(method: Method): TrainedMethod | null {
  const found: TrainedMethod | FeatureMethod = table[method];
  return found.kind === 'trained' ? found : null;
}

/** The head of the method's network. */
export function networkHead(method: Method): TrainedMethod['head'] {
  return trainedMethod(method)?.head ?? 'pooled';
}

/** Terms of the loss that the method's network adds to ADSH's. */
export function ownTerms(method: Method): readonly string[] {
  return trainedMethod(method)?.terms ?? [];
}

/** Codes that the network makes of an image in training: with an attention network, also that of the whole picture. */
export function codesPerImage(method: Method): number {
  return networkHead(method) === 'saliency' ? 2 : 1;
}

/** Whether the method compares anchors with positives. */
export function usesPositives(method: Method): boolean {
  return trainedMethod(method)?.positives ?? false;
}

/** Whether the method compares anchors with their erased copies, in a forward pass of their own. */
export function usesErasing(method: Method): boolean {
  return trainedMethod(method)?.erasing ?? false;
}

/** The method's loss over pairs, which the coordinator computes; null where workers compute the loss. */
export function pairLoss(method: Method): PairLoss | null {
  return trainedMethod(method)?.pairs ?? null;
}

/** Whether the newest output of every training image is kept. */
export function storesOutputs(method: Method): boolean {
  return pairLoss(method)?.storesOutputs ?? false;
}

/** Whether database codes are signs of the network's outputs for all training images. */
export function networkMakesDatabase(method: Method): boolean {
  return trainedMethod(method)?.databaseCodes === 'network';
}

/** Whether V-steps learn the database codes. */
export function learnsDatabase(method: Method): boolean {
  return trainedMethod(method)?.databaseCodes === 'learned';
}

/** V before the method's first database codes are made, as published. */
export function publishedFirstCodes(method: Method): TrainedMethod['firstCodes'] {
  return trainedMethod(method)?.firstCodes ?? 'random';
}

/** The method's learning rate with the preset `quick`; null for the preset's own. */
export function quickLearningRate(method: Method): number | null {
  return trainedMethod(method)?.quickLearningRate ?? null;
}

/** Weight γ of the quantisation term in the presets; null for theirs. */
export function presetGamma(method: Method): number | null {
  return trainedMethod(method)?.gamma ?? null;
}

/** How the method's publication trains; null where the presets are the publication, and for a method on features. */
export function publishedTraining(method: Method): PublishedTraining | null {
  return trainedMethod(method)?.published ?? null;
}

/** Images that pass forward and backward for one anchor. */
export function imagesPerAnchor(method: Method): number {
  return codesPerImage(method) + Number(usesPositives(method)) + Number(usesErasing(method));
}
