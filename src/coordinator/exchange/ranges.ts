import type { Range__Output } from '../../transport/generated/fcaenet/v1/Range.js';

/** Half-open range of elements of a vector. */
export type ElementRange = Range__Output;

/** Cuts `length` elements into `count` ranges whose lengths differ by at most one. Empty ranges are left out. */
export function cutRanges(length: number, count: number): ElementRange[] {
  const cut = (index: number) => Math.floor((index * length) / count);
  return Array.from({ length: count }, (_, index) => ({ start: cut(index), end: cut(index + 1) })).filter(
    ({ start, end }) => end > start,
  );
}
