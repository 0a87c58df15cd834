/** What the anchors of a method are compared with, besides the database codes. */
interface Branches {
  /** Another image of the anchor's class. */
  readonly positives: boolean;
  /** The anchor with its most attended region erased, in a second forward pass. */
  readonly erasing: boolean;
}

/** The full method and its ablations (method 1.12, reading A): ADSH alone, with SREM's term, with the positive's, both. */
const branches = {
  baseline: { positives: false, erasing: false },
  srem: { positives: false, erasing: true },
  esrl: { positives: true, erasing: false },
  fcaenet: { positives: true, erasing: true },
} as const satisfies Record<string, Branches>;

export type Method = keyof typeof branches;
/** In the order of the ablation. */
export const methods = Object.keys(branches) as readonly Method[];

/** Whether the method compares anchors with positives. */
export function usesPositives(method: Method): boolean {
  return branches[method].positives;
}

/** Whether the method compares anchors with their erased copies, in a second forward pass. */
export function usesErasing(method: Method): boolean {
  return branches[method].erasing;
}

/** Images that pass forward and backward for one anchor. */
export function imagesPerAnchor(method: Method): number {
  return 1 + Number(usesPositives(method)) + Number(usesErasing(method));
}

/** Rows for each anchor in the forward pass that has the fewest; erased anchors have a pass of their own. */
export function leastRowsPerAnchor(method: Method): number {
  return usesPositives(method) && !usesErasing(method) ? 2 : 1;
}
