import { assignLeaves } from '../../schedule/assignment.js';
import type { Member } from './member.js';
import type { Candidate } from './redundant-work.js';

/**
 * Contiguous shares of microbatches, by the numbers of the workers' devices. When every worker already holds some of
 * them, each goes to one that does not hold it.
 */
export function contiguousShares(
  units: readonly number[],
  candidates: readonly Candidate[],
): { member: Member; units: number[] }[] {
  const free = candidates.filter(({ owes }) => !units.some(owes));
  if (free.length > 0) {
    const members = free.map(({ member }) => member);
    const shares = assignLeaves(units, members, ({ capacity }) => capacity);
    return shares.map(({ worker: member, leaves }) => ({ member, units: leaves }));
  }
  return units.flatMap((unit) => {
    const other = candidates.find(({ owes }) => !owes(unit));
    return other ? [{ member: other.member, units: [unit] }] : [];
  });
}
