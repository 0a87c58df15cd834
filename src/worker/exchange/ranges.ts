import { TransportError } from '../../transport/error.js';
import type { OwnedRange__Output } from '../../transport/generated/fcaenet/v1/OwnedRange.js';
import type { Range__Output } from '../../transport/generated/fcaenet/v1/Range.js';

/** Half-open range of elements of a vector. Never empty. */
export interface ElementRange {
  readonly start: number;
  readonly end: number;
}

/** A range, and the member to which it belongs. */
export interface OwnedElements extends ElementRange {
  readonly owner: number;
}

export function rangeKey({ start, end }: ElementRange): string {
  return `${start}-${end}`;
}

/**
 * The range that a message names.
 * @param count elements of the vector
 * @throws TransportError TRANSPORT_BAD_MESSAGE when it is empty or not inside the vector
 */
export function checkedRange(range: Range__Output | null, count: number, what: string): ElementRange {
  const { start, end } = range ?? { start: 0, end: 0 };
  if (start >= 0 && start < end && end <= count) return { start, end };
  throw new TransportError(
    'TRANSPORT_BAD_MESSAGE',
    `${what} names elements ${start} to ${end}, expected a part of ${count}`,
  );
}

/**
 * The ranges of a plan, ascending.
 * @throws TransportError TRANSPORT_BAD_MESSAGE when one is not inside the vector, or two overlap
 */
export function checkedPlan(
  ranges: readonly OwnedRange__Output[],
  count: number,
  what: string,
): OwnedElements[] {
  const owned = ranges
    .map(({ range, owner }) => ({ ...checkedRange(range, count, what), owner }))
    .sort((left, right) => left.start - right.start);
  for (const [place, { start }] of owned.entries()) {
    const before = owned[place - 1];
    if (before && before.end > start) {
      throw new TransportError(
        'TRANSPORT_BAD_MESSAGE',
        `${what} names elements ${start} to ${before.end} twice, expected ranges that do not overlap`,
      );
    }
  }
  return owned;
}

/** Which elements of a vector are there. */
export class Coverage {
  /** No two touch. */
  private covered: ElementRange[] = [];

  add({ start, end }: ElementRange): void {
    const touching = this.covered.filter((each) => each.start <= end && each.end >= start);
    const merged = {
      start: Math.min(start, ...touching.map((each) => each.start)),
      end: Math.max(end, ...touching.map((each) => each.end)),
    };
    this.covered = [...this.covered.filter((each) => !touching.includes(each)), merged];
  }

  has({ start, end }: ElementRange): boolean {
    return this.covered.some((each) => each.start <= start && each.end >= end);
  }
}
