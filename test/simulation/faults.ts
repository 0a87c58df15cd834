import type { Chance } from './chance.js';

/** What can go wrong in a simulation. */
export const faultKinds = [
  'worker-kill',
  'worker-stop',
  'worker-slow',
  'worker-lies',
  'line-cut',
  'damage-up',
  'damage-down',
  'nan',
  'length',
  'digest',
  'coordinator-kill',
  'coordinator-interrupt',
  'coordinator-replaced',
  'disk-full',
  'clock-jump',
  'drain',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Which of the workers, or how much; from 0 to 1. */
  readonly choice: number;
  readonly lastsMs: number;
}

/** What one simulation is made of. */
export interface Plan {
  readonly workers: number;
  /** Of the run: four steps each. */
  readonly iterations: number;
  /** Before so many are there nothing is computed. */
  readonly minWorkers: number;
  readonly verificationRate: number;
  readonly leastMs: number;
  readonly mostMs: number;
  readonly fullness: number;
  /** How often a worker stands still before it computes, for a second or more. */
  readonly hiccups: number;
  readonly faults: readonly Fault[];
}

/** About as long as an undisturbed run of two iterations takes, in simulated milliseconds. */
const usualMs = 5_000;

/**
 * Draws a plan. A worker that lies is only found out where two honest ones can be asked, so nothing else happens to the
 * workers of such a plan, and all work is done twice.
 */
export function drawPlan(chance: Chance): Plan {
  const hasLiar = chance.happens(0.15);
  const mostMs = chance.pick([2, 20, 120]);
  const faults: Fault[] = [];
  const add = (kind: FaultKind) =>
    faults.push({
      kind,
      atMs: chance.between(0, usualMs),
      choice: chance.unit(),
      lastsMs: chance.pick([chance.between(100, 15_000), 120_000]),
    });
  if (hasLiar) add('worker-lies');
  const possible = hasLiar
    ? ([
        'coordinator-kill',
        'coordinator-interrupt',
        'coordinator-replaced',
        'disk-full',
        'clock-jump',
      ] as const)
    : faultKinds.filter((kind) => kind !== 'worker-lies');
  for (let i = chance.below(7); i > 0; i--) add(chance.pick(possible));
  return {
    iterations: chance.pick([2, 2, 2, 2, 10]),
    workers: hasLiar ? 4 + chance.below(2) : 1 + chance.below(5),
    minWorkers: hasLiar ? 3 : 1,
    verificationRate: hasLiar ? 1 : chance.pick([0, 0.3, 1]),
    leastMs: 0.1,
    mostMs,
    fullness: chance.pick([0, 0.05]),
    // A straggler is outvoted by two prompt ones; with a liar among them nobody may be late.
    hiccups: hasLiar ? 0 : chance.pick([0, 0, 0.05, 0.3]),
    faults: faults.sort((a, b) => a.atMs - b.atMs),
  };
}
