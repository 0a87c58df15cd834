import type { Range__Output } from '../../transport/generated/fcaenet/v1/Range.js';
import type { Member } from '../dispatch/member.js';

/** Half-open range of elements of a vector. */
export type ElementRange = Range__Output;

/** A range and the member to which it belongs. */
export interface MemberRange {
  readonly range: ElementRange;
  readonly owner: Member;
}

/** A range and the place of its owner among the members. */
export interface RangeOfOwner {
  readonly range: ElementRange;
  readonly owner: number;
}

/**
 * Usual elements of a range, and the most ranges of one owner. A range goes over four cables, one after the other. While the
 * first one of a step does, and the last one, other cables have nothing to carry: short ranges keep them busy. But each
 * costs the coordinator and its owner some messages.
 */
const usualElements = 1 << 17;
const mostRangesEach = 64;

/**
 * Cuts a vector into ranges that owners get in turn. An owner has several where they are long, so that one is sent while
 * another is added.
 */
export function rangesOfOwners(length: number, owners: number): RangeOfOwner[] {
  const each = Math.ceil(length / (owners * usualElements));
  const count = owners * Math.max(1, Math.min(each, mostRangesEach));
  return cutRanges(length, count).map((range, index) => ({ range, owner: index % owners }));
}

/**
 * Cuts packed moments into ranges of whole blocks, of about equal length.
 * @param blocks where each block begins and the last one ends, ascending
 * @param most ranges
 */
export function rangesOfBlocks(blocks: readonly number[], most: number): ElementRange[] {
  const [first, last] = [blocks[0] ?? 0, blocks.at(-1) ?? 0];
  const nearest = (to: number) =>
    blocks.reduce((best, block) => (Math.abs(block - to) < Math.abs(best - to) ? block : best), first);
  return cutRanges(last - first, most)
    .map(({ start, end }) => ({ start: nearest(first + start), end: nearest(first + end) }))
    .filter(({ start, end }) => end > start);
}

/** Cuts `length` elements into `count` ranges whose lengths differ by at most one. Empty ranges are left out. */
export function cutRanges(length: number, count: number): ElementRange[] {
  const cut = (index: number) => Math.floor((index * length) / count);
  return Array.from({ length: count }, (_, index) => ({ start: cut(index), end: cut(index + 1) })).filter(
    ({ start, end }) => end > start,
  );
}
