import type { FeatureMethod, TrainedMethod } from './method.js';

/**
 * Every method that `spec.method` may name. `baseline`, `srem`, `esrl` and `fcaenet` are in the order of the ablation
 * (method 1.12, reading A): ADSH alone, with SREM's term, with the positive's, both. The others are the paper's
 * comparisons on features (method 5).
 */
const table = {
  baseline: { kind: 'trained', positives: false, erasing: false },
  srem: { kind: 'trained', positives: false, erasing: true },
  esrl: { kind: 'trained', positives: true, erasing: false },
  fcaenet: { kind: 'trained', positives: true, erasing: true },
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

/** Whether the method compares anchors with positives. */
export function usesPositives(method: Method): boolean {
  const found: TrainedMethod | FeatureMethod = table[method];
  return found.kind === 'trained' && found.positives;
}

/** Whether the method compares anchors with their erased copies, in a second forward pass. */
export function usesErasing(method: Method): boolean {
  const found: TrainedMethod | FeatureMethod = table[method];
  return found.kind === 'trained' && found.erasing;
}

/** Images that pass forward and backward for one anchor. */
export function imagesPerAnchor(method: Method): number {
  return 1 + Number(usesPositives(method)) + Number(usesErasing(method));
}

/** Rows for each anchor in the forward pass that has the fewest; erased anchors have a pass of their own. */
export function leastRowsPerAnchor(method: Method): number {
  return usesPositives(method) && !usesErasing(method) ? 2 : 1;
}
