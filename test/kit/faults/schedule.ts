import { KeyedRandom, Purpose } from '../../../src/data/random.js';

/** Faults of one worker. `durationMs` says for how long, where it passes. */
export const workerFaults = [
  'kill',
  'stop',
  'cut',
  'slow',
  'corrupt-up',
  'corrupt-down',
  'nan',
  'length',
] as const;
/** Faults of the coordinator. */
export const coordinatorFaults = ['coordinator-kill', 'coordinator-kill-writing', 'disk-full'] as const;

/** Faults of what the coordinator leans on. */
export const surroundingFaults = ['nats-stop'] as const;

export type WorkerFaultKind = (typeof workerFaults)[number];
export type CoordinatorFaultKind = (typeof coordinatorFaults)[number];
export type FaultKind = WorkerFaultKind | CoordinatorFaultKind | (typeof surroundingFaults)[number];

/** Something that goes wrong once, when the checkpoint after `step` steps is written, or a moment later. */
export interface Fault {
  readonly kind: FaultKind;
  /** Steps done when it happens. */
  readonly step: number;
  readonly delayMs: number;
  /** Which worker, for the faults of a worker. */
  readonly worker: number;
  /** How long a stop, a cut, a slow line or the absence of NATS lasts. */
  readonly durationMs: number;
  /** For `coordinator-kill-writing`: before which change of the checkpoints' folder, counted from 1. */
  readonly change: number;
}

/** A part of a run that is undisturbed but for what is named. */
export function fault(kind: FaultKind, step: number, changed: Partial<Fault> = {}): Fault {
  return { kind, step, delayMs: 0, worker: 0, durationMs: 500, change: 1, ...changed };
}

/** Several faults of a run of `steps` steps on `workers` workers; the same for the same seed. */
export function faultsFromSeed(
  seed: number,
  run: { readonly steps: number; readonly workers: number },
  kinds: readonly FaultKind[],
): Fault[] {
  const random = new KeyedRandom(seed);
  let draws = 0;
  const below = (bound: number) => random.below(bound, Purpose.synthetic, 0, 0, draws++);
  const count = 2 + below(3);
  return Array.from({ length: count }, () => ({
    kind: kinds[below(kinds.length)]!,
    step: 1 + below(run.steps - 1),
    delayMs: below(200),
    worker: below(run.workers),
    durationMs: 200 + below(1_000),
    change: 1 + below(36),
  })).sort((a, b) => a.step - b.step);
}

/** For a test's name and for reports. */
export function describeFault({ kind, step, worker, durationMs, change }: Fault): string {
  const what: Partial<Record<FaultKind, string>> = {
    stop: ` for ${durationMs} ms`,
    cut: ` for ${durationMs} ms`,
    slow: ` for ${durationMs} ms`,
    'nats-stop': ` for ${durationMs} ms`,
    'coordinator-kill-writing': ` at change ${change}`,
  };
  const whom = (workerFaults as readonly string[]).includes(kind) ? ` worker ${worker}` : '';
  return `${kind}${whom} at step ${step}${what[kind] ?? ''}`;
}
