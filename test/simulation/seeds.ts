import { type Outcome, simulateAndCompare } from './simulation.js';

/** Simulates `count` seeds from `first` on. @returns those that found something, each with what it found */
export async function seedsThatFail(first: number, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulateAndCompare(seed);
    if (outcome.violations.length > 0) found.push(describe(outcome));
  }
  return found;
}

/** A seed, what it found, and what happened in it, in one line. */
export function describe({ seed, violations, plan }: Outcome): string {
  const faults = plan.faults.map(({ kind }) => kind).join(', ') || 'no faults';
  return `seed ${seed}: ${violations.join('; ') || 'right'} (${faults})`;
}
