import { generator } from '../hashing/dense.js';

/** Retrieval written out: sort the whole database, then walk it. */

export interface Ranked {
  readonly distance: number;
  readonly relevant: boolean;
}

/** Average precision of items in their given order. */
export function averagePrecisionOf(order: readonly Ranked[]): number {
  let found = 0;
  let sum = 0;
  order.forEach(({ relevant }, place) => {
    if (relevant) sum += ++found / (place + 1);
  });
  return found === 0 ? 0 : sum / found;
}

/** Items by distance, ties in the given order. */
export function sorted(items: readonly Ranked[]): Ranked[] {
  return [...items].sort((a, b) => a.distance - b.distance);
}

/** All orders of `items`. */
export function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

/** Hamming distance of rows of ±1 codes. */
export function distanceOf(a: Int8Array, aRow: number, b: Int8Array, bRow: number, bits: number): number {
  let distance = 0;
  for (let k = 0; k < bits; k++) if (a[aRow * bits + k] !== b[bRow * bits + k]) distance++;
  return distance;
}

/** Random ±1 codes `[rows, bits]`. */
export function randomCodes(seed: number, rows: number, bits: number): Int8Array {
  const next = generator(seed);
  return Int8Array.from({ length: rows * bits }, () => (next() < 0.5 ? -1 : 1));
}
