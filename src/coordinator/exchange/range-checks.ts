import type { RangeResult__Output } from '../../transport/generated/fcaenet/v1/RangeResult.js';
import type { Member } from '../dispatch/member.js';
import type { ElementRange, MemberRange } from './ranges.js';

/** A sum, and who added it. */
interface Opinion {
  readonly member: Member;
  readonly bytes: Uint8Array;
}

/** A range whose sum others add again, from the same parts. */
interface Check {
  readonly range: ElementRange;
  /** Sums of others than the owner, which differ from its. */
  readonly others: Opinion[];
  /** Who is asked; null while nobody is. */
  asked: Member | null;
  isOver: boolean;
}

/** What a second or third sum shows. `wrong` is empty where all agree. */
export type Verdict =
  | { readonly kind: 'agreed'; readonly wrong: readonly Member[] }
  /** A third is needed. */
  | { readonly kind: 'contradiction' };

/**
 * Compares the sums of some ranges with what other members make of the same parts. They are asked when the sums are there,
 * so an owner does not know before which of its sums are compared. Where two sums differ a third one decides.
 */
export class RangeChecks {
  private readonly checks: readonly Check[];

  constructor(ranges: readonly ElementRange[]) {
    this.checks = ranges.map((range) => ({ range, others: [], asked: null, isOver: false }));
  }

  get areOver(): boolean {
    return this.checks.every(({ isOver }) => isOver);
  }

  /** Who adds which range again. */
  get plan(): readonly MemberRange[] {
    return this.checks.flatMap(({ range, asked }) => (asked ? [{ range, owner: asked }] : []));
  }

  /**
   * Asks a member for each range that nobody is asked for. A range that nobody else can add is not compared.
   * @param ownerOf who added a range first
   * @returns a range whose sums differ and that no third member can add; null where there is none
   */
  ask(members: readonly Member[], ownerOf: (range: ElementRange) => Member): ElementRange | null {
    for (const check of this.checks) {
      const { range, others, isOver } = check;
      if (check.asked && !members.includes(check.asked)) check.asked = null;
      if (isOver || check.asked) continue;
      const owner = ownerOf(range);
      const stated = [owner, ...others.map(({ member }) => member)];
      const place = members.indexOf(owner) + 1;
      const candidates = [...members.slice(place), ...members.slice(0, place)];
      check.asked = candidates.find((member) => !stated.includes(member)) ?? null;
      if (check.asked) continue;
      if (others.length > 0) return range;
      check.isOver = true;
    }
    return null;
  }

  /** Forgets what was found out. */
  restart(): void {
    for (const check of this.checks) {
      check.others.length = 0;
      check.asked = null;
      check.isOver = false;
    }
  }

  /**
   * Takes a sum of a member that was asked.
   * @param first the owner's
   * @returns null when the member was not asked for it
   */
  take(member: Member, { range }: RangeResult__Output, bytes: Uint8Array, first: Opinion): Verdict | null {
    const check = this.checks.find(
      (each) => each.asked === member && each.range.start === range?.start && each.range.end === range.end,
    );
    if (!check) return null;
    check.asked = null;
    const earlier = [first, ...check.others];
    const same = earlier.find((each) => Buffer.compare(each.bytes, bytes) === 0);
    if (!same) {
      check.others.push({ member, bytes: bytes.slice() });
      return { kind: 'contradiction' };
    }
    check.isOver = true;
    return { kind: 'agreed', wrong: earlier.filter((each) => each !== same).map((each) => each.member) };
  }
}
