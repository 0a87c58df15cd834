import type { WirePrecision } from '../../src/run/training-run.js';
import { Chance } from './chance.js';

/** What can go wrong in a simulation. */
export const faultKinds = [
  'worker-kill',
  'worker-stop',
  'worker-slow',
  'worker-lies',
  'worker-adds-wrong',
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
  'pair-cut',
  'call-cut',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Faults after which an answer, or what it is computed from, is wrong. */
export const spoilsAnswers: ReadonlySet<FaultKind> = new Set([
  'damage-up',
  'damage-down',
  'nan',
  'length',
  'digest',
]);

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Which of the workers, or how much; from 0 to 1. */
  readonly choice: number;
  readonly lastsMs: number;
}

/** What one simulation is made of. */
export interface Plan {
  /** A loss of single rows, or over the pairs of a batch and all training images. */
  readonly method: 'baseline' | 'dpsh';
  /** Of gradients and weights on the wire. */
  readonly precision: WirePrecision;
  readonly workers: number;
  readonly iterations: number;
  /** Steps of each iteration. */
  readonly steps: 1 | 4;
  /** An encode batch takes this many times as long as a microbatch. */
  readonly encodeTimes: number;
  /** The most devices of a worker. Workers with several have them one after another, and may lose some. */
  readonly devices: number;
  /** Before so many are there nothing is computed. */
  readonly minWorkers: number;
  /** Whether workers exchange gradients among themselves. */
  readonly exchange: boolean;
  /** Whether the coordinator calls these workers, so that ranges do not go over their own streams. */
  readonly carries: boolean;
  readonly verificationRate: number;
  readonly leastMs: number;
  readonly mostMs: number;
  readonly fullness: number;
  /** How often a worker stands still before it computes, for a second or more. */
  readonly hiccups: number;
  /** What the coordinator's network carries in each direction, shared by all workers; infinite where it is never full. */
  readonly bytesPerSecond: number;
  /** When all workers but the first start. */
  readonly othersStartMs: number;
  readonly faults: readonly Fault[];
}

/** What makes a plan one in which one worker computes everything and nothing happens. */
export const uneventful = {
  faults: [],
  workers: 1,
  devices: 1,
  minWorkers: 1,
  exchange: false,
  carries: false,
  verificationRate: 0,
  fullness: 0,
  hiccups: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  othersStartMs: 0,
} as const;

/** About as long as an undisturbed run of two iterations takes, in simulated milliseconds. */
const usualMs = 5_000;

/** Share of the seeds without exchange in which the coordinator's network is slow. */
const slowNetworkShare = 0.25;
/** With so many bytes a second steps take about as long as without limit; with fewer, faults come later by as much. */
const harmlessBytesPerSecond = 5_000;

/** Share of the seeds in which workers have several devices. */
const devicesShare = 0.25;
/** Share of the seeds whose plan has short iterations. */
const shortShare = 0.15;
/** Share of the seeds whose workers exchange gradients among themselves. */
const exchangeShare = 0.5;
/** Share of the seeds with exchange whose coordinator calls the workers. */
const carriedShare = 0.6;
/** Share of the seeds whose loss is over pairs. */
const pairsShare = 0.25;
/** Share of the seeds that send gradients and weights in bfloat16. */
const bfloat16Share = 0.2;

/**
 * Draws the plan of a seed. The choice of the kind of plan and the plans with short iterations have a stream of chance
 * of their own, so that they can change without changing what happens in the other seeds. So have the exchange, the
 * precision, the network, the method, the devices and the calls.
 */
export function drawPlan(seed: number, chance: Chance): Plan {
  const other = new Chance(seed, 1);
  const events = other.happens(shortShare) ? drawShortIterations(other) : drawUsual(chance);
  const precision = new Chance(seed, 3).happens(bfloat16Share) ? 'bfloat16' : 'float32';
  const method = new Chance(seed, 5).happens(pairsShare) ? 'dpsh' : 'baseline';
  const own = new Chance(seed, 6);
  const devices = own.happens(devicesShare) ? 2 + own.below(3) : 1;
  const exchanged = withCalls(withExchange(events, new Chance(seed, 2)), new Chance(seed, 7));
  return withNetwork({ ...exchanged, precision, method, devices }, new Chance(seed, 4));
}

/** Gives a share of the plans a slow network. With the exchange most bytes do not pass through it. */
function withNetwork(plan: Omit<Plan, 'bytesPerSecond' | 'othersStartMs'>, chance: Chance): Plan {
  if (plan.exchange || !chance.happens(slowNetworkShare)) {
    return { ...plan, bytesPerSecond: Number.POSITIVE_INFINITY, othersStartMs: 0 };
  }
  const bytesPerSecond = chance.pick([1_500, 5_000]);
  // The first has the network to itself before the others fill it all at once.
  const othersStartMs = chance.pick([0, 20_000, 60_000]);
  return {
    ...plan,
    bytesPerSecond,
    othersStartMs,
    workers: othersStartMs > 0 ? 5 : plan.workers,
    faults: plan.faults.map((fault) => ({
      ...fault,
      atMs: (harmlessBytesPerSecond / bytesPerSecond) * fault.atMs,
    })),
  };
}

/** Adds the exchange to a share of the plans, and cuts between single workers to some of these: they make workers late. */
function withExchange(events: Events, chance: Chance): Events & Pick<Plan, 'exchange'> {
  if (!chance.happens(exchangeShare)) return { ...events, exchange: false };
  const mayBeLate = !events.faults.some(({ kind }) => kind === 'worker-lies');
  const cuts = mayBeLate && chance.happens(0.3) ? 1 + chance.below(3) : 0;
  const faults = Array.from({ length: cuts }, () => drawFault(chance, 'pair-cut', usualMs));
  // A liar computes wrong gradients, or adds those of others wrongly.
  const addsWrong = !mayBeLate && chance.happens(0.5);
  const own = events.faults.map((fault) =>
    addsWrong && fault.kind === 'worker-lies' ? { ...fault, kind: 'worker-adds-wrong' as const } : fault,
  );
  return { ...events, exchange: true, faults: inOrder([...own, ...faults]) };
}

/** Lets the coordinator of a share of these plans call the workers, and breaks some calls: that makes workers late. */
function withCalls(
  plan: Events & Pick<Plan, 'exchange'>,
  chance: Chance,
): Events & Pick<Plan, 'exchange' | 'carries'> {
  if (!plan.exchange || !chance.happens(carriedShare)) return { ...plan, carries: false };
  const mayBeLate = !plan.faults.some(({ kind }) => kind === 'worker-lies' || kind === 'worker-adds-wrong');
  const cuts = mayBeLate ? chance.pick([0, 1, 3, 6]) : 0;
  const faults = Array.from({ length: cuts }, () => drawFault(chance, 'call-cut', usualMs));
  return { ...plan, carries: true, faults: inOrder([...plan.faults, ...faults]) };
}

/** A plan without how gradients travel. */
type Events = Omit<
  Plan,
  'method' | 'devices' | 'precision' | 'exchange' | 'carries' | 'bytesPerSecond' | 'othersStartMs'
>;

/** Faults after which other workers have to do the work of a worker. */
const losses = ['worker-slow', 'worker-stop', 'worker-kill', 'line-cut', 'drain'] as const;

/**
 * Draws a plan with one step in each iteration, so that encode requests follow each other closely, and with a slow
 * worker. The other workers finish request after request while the slow worker still owes answers to an earlier one.
 * When they are lost, the slow worker also gets batches of the current request. Its late answers arrive first.
 */
function drawShortIterations(chance: Chance): Events {
  const faults = [drawFault(chance, 'worker-slow', usualMs)];
  for (let i = 1 + chance.below(6); i > 0; i--) {
    faults.push(drawFault(chance, chance.pick(losses), 3 * usualMs));
  }
  return {
    iterations: 6,
    steps: 1,
    encodeTimes: chance.pick([1, 4]),
    workers: 2 + chance.below(2),
    minWorkers: 1,
    verificationRate: chance.pick([0, 0.3]),
    leastMs: 0.1,
    mostMs: chance.pick([2, 20, 120]),
    fullness: chance.pick([0, 0.05]),
    hiccups: chance.pick([0, 0.05, 0.3]),
    faults: inOrder(faults),
  };
}

/**
 * Draws a plan with four steps in each iteration. A worker that lies is only found out where two honest ones can be
 * asked, so nothing else happens to the workers of such a plan, and all work is done twice.
 */
function drawUsual(chance: Chance): Events {
  const hasLiar = chance.happens(0.15);
  const mostMs = chance.pick([2, 20, 120]);
  const faults: Fault[] = [];
  const add = (kind: FaultKind) => faults.push(drawFault(chance, kind, usualMs));
  if (hasLiar) add('worker-lies');
  const possible = hasLiar
    ? ([
        'coordinator-kill',
        'coordinator-interrupt',
        'coordinator-replaced',
        'disk-full',
        'clock-jump',
      ] as const)
    : faultKinds.filter((kind) => !['worker-lies', 'worker-adds-wrong', 'call-cut'].includes(kind));
  for (let i = chance.below(7); i > 0; i--) add(chance.pick(possible));
  return {
    iterations: chance.pick([2, 2, 2, 2, 10]),
    steps: 4,
    encodeTimes: 1,
    workers: hasLiar ? 4 + chance.below(2) : 1 + chance.below(5),
    minWorkers: hasLiar ? 3 : 1,
    verificationRate: hasLiar ? 1 : chance.pick([0, 0.3, 1]),
    leastMs: 0.1,
    mostMs,
    fullness: chance.pick([0, 0.05]),
    // A straggler is outvoted by two prompt ones; with a liar among them nobody may be late.
    hiccups: hasLiar ? 0 : chance.pick([0, 0, 0.05, 0.3]),
    faults: inOrder(faults),
  };
}

/** @param beforeMs the latest moment of the fault */
function drawFault(chance: Chance, kind: FaultKind, beforeMs: number): Fault {
  return {
    kind,
    atMs: chance.between(0, beforeMs),
    choice: chance.unit(),
    lastsMs: chance.pick([chance.between(100, 15_000), 120_000]),
  };
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return [...faults].sort((a, b) => a.atMs - b.atMs);
}
