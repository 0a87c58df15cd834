import { assignLeaves } from '../../schedule/assignment.js';
import type { Member } from './member.js';
import type { Candidate } from './redundant-work.js';

/**
 * Contiguous shares of microbatches. When every worker already holds some of them, each goes to one that does not hold
 * it.
 */
export function contiguousShares(
  units: readonly number[],
  candidates: readonly Candidate[],
): { member: Member; units: number[] }[] {
  const free = candidates.filter(({ owes }) => !units.some(owes));
  if (free.length > 0) {
    return assignLeaves(units, free).map(({ worker, leaves }) => ({ member: worker.member, units: leaves }));
  }
  return units.flatMap((unit) => {
    const other = candidates.find(({ owes }) => !owes(unit));
    return other ? [{ member: other.member, units: [unit] }] : [];
  });
}
