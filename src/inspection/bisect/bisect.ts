import type { Console } from '../../console/console.js';
import { identityDifferences } from '../../identity/identity.js';
import type { LedgerStep } from '../../ledger/entry.js';
import type { ModelLayout } from '../../model/layout.js';
import type { InspectionOptions } from '../local-fleet.js';
import { compareRuns } from '../runs/compare-runs.js';
import { type OpenedRun, openRun } from './opened-run.js';
import { type Replay, replayStep } from './replay.js';
import { stateTensors, type TensorDifference, tensorDifferences } from './tensors.js';

/**
 * Where the first difference of two runs is.
 * - `nowhere`: the gradients of all common steps are equal.
 * - `samples`: the step used other images or other microbatches.
 * - `network`: the runs' networks have other tensors.
 * - `state`: the state before the step differs, although all earlier gradients are equal.
 * - `microbatch`: from equal states, this machine computes different microbatches for the two runs.
 * - `workers`: this machine computes the same bits for both runs. So the workers of the two runs computed differently.
 */
export type PartingPlace = 'nowhere' | 'samples' | 'network' | 'state' | 'microbatch' | 'workers';

/** How this machine's computation compares with the recorded run. */
export interface ReplayReport extends Pick<Replay, 'checkpoint' | 'stepsBefore' | 'otherThanLedgerAtStep'> {
  readonly run: string;
  /**
   * Fields of the numerical identity in which this machine's workers differ from the run's workers; null when the run has
   * not recorded its identity.
   */
  readonly identityDifferences: readonly string[] | null;
}

export interface TensorReport {
  /** The first different tensor in the order of computation. The difference begins there. */
  readonly first: TensorDifference;
  /** The tensor with the largest absolute difference. */
  readonly largest: TensorDifference;
  /** Number of different tensors. */
  readonly differing: number;
}

export interface Bisection {
  readonly runs: readonly [string, string];
  readonly place: PartingPlace;
  /** The finding in words. */
  readonly sentence: string;
  /** The first step whose gradients differ, counted from 1; null when there is none. */
  readonly step: number | null;
  /** The position of that step, each number counted from 1. */
  readonly position: { readonly iteration: number; readonly epoch: number; readonly step: number } | null;
  /** Training settings in which the runs differ. */
  readonly settings: readonly string[];
  /** The first different microbatch, counted from 0; null when none differs. */
  readonly microbatch: number | null;
  /** Differences of the state before the step, and of that microbatch; null when nothing differs. */
  readonly tensors: { readonly state: TensorReport | null; readonly microbatch: TensorReport | null };
  /** SHA-256 of every microbatch, as this machine computes it for each run. They can be compared between machines. */
  readonly microbatches: readonly {
    readonly microbatch: number;
    readonly first: string;
    readonly second: string;
  }[];
  /** Differences after the earliest later step of which both runs have a checkpoint; null when there is none. */
  readonly afterwards: { readonly step: number; readonly tensors: TensorReport | null } | null;
  readonly replays: readonly ReplayReport[];
}

export interface BisectOptions extends InspectionOptions {
  readonly console: Console;
}

/**
 * Finds the first step, microbatch and tensor that differ between two runs. The step comes from the ledgers. Then this
 * machine computes that step again for each run. Neither run is changed.
 * @throws what comparing the runs and replaying a step throws
 */
export async function bisectRuns(first: string, second: string, options: BisectOptions): Promise<Bisection> {
  const comparison = await compareRuns(first, second);
  const runs = comparison.runs.map(({ run }) => run) as [string, string];
  const settings = Object.keys(comparison.settings);
  const base: Bisection = {
    runs,
    place: 'nowhere',
    sentence: 'the gradients of all common steps are equal',
    step: comparison.partedAtStep,
    position: null,
    settings,
    microbatch: null,
    tensors: { state: null, microbatch: null },
    microbatches: [],
    afterwards: null,
    replays: [],
  };
  if (comparison.partedAtStep === null) return base;
  const globalStep = comparison.partedAtStep - 1;
  const { console, ...inspected } = options;
  const opened = await Promise.all(
    [first, second].map((path) => openRun(path, globalStep, { ...inspected, log: console.log })),
  );
  const [left, right] = opened.map(({ steps }) => steps[globalStep]!) as [LedgerStep, LedgerStep];
  const { iteration, epoch, step } = left;
  const parted = { ...base, position: { iteration: iteration + 1, epoch: epoch + 1, step: step + 1 } };
  const because = settings.length === 0 ? '' : `; settings that differ: ${settings.join(', ')}`;
  if (left.batch !== right.batch) {
    return {
      ...parted,
      place: 'samples',
      sentence: `step ${globalStep + 1} used other images or microbatches in the second run${because}`,
    };
  }
  if (!haveSameTensors(opened[0]!.layout, opened[1]!.layout)) {
    return {
      ...parted,
      place: 'network',
      sentence: `the networks of the two runs have different tensors${because}`,
    };
  }
  const afterwards = await stateAfter(opened, globalStep);
  const replays: Replay[] = [];
  // One after another, because each uses all processors of the machine.
  for (const each of opened) replays.push(await replayStep(each, globalStep, console));
  const [a, b] = replays as [Replay, Replay];
  const state = reportOf(tensorDifferences(a.state, b.state));
  const microbatches = [...a.leaves.keys()]
    .sort((x, y) => x - y)
    .map((microbatch) => ({
      microbatch,
      first: a.leaves.get(microbatch)!.sha256,
      second: b.leaves.get(microbatch)!.sha256,
    }));
  const microbatch = microbatches.find((each) => each.first !== each.second)?.microbatch ?? null;
  const inMicrobatch =
    microbatch === null
      ? null
      : reportOf(tensorDifferences(a.leaves.get(microbatch)!.tensors, b.leaves.get(microbatch)!.tensors));
  const place = state ? 'state' : microbatch === null ? 'workers' : 'microbatch';
  const found = { ...parted, place, microbatch, microbatches, afterwards } as const;
  return {
    ...found,
    sentence:
      sentenceOf(
        place,
        globalStep + 1,
        state?.first.tensor ?? inMicrobatch?.first.tensor ?? null,
        microbatch,
        runs.filter((_, side) => [left, right][side]!.gradientSha256 === replays[side]!.gradientSha256),
      ) + because,
    tensors: { state, microbatch: inMicrobatch },
    replays: replays.map(({ checkpoint, stepsBefore, otherThanLedgerAtStep, identity }, side) => {
      const recorded = opened[side]!.identity;
      return {
        run: runs[side]!,
        checkpoint,
        stepsBefore,
        otherThanLedgerAtStep,
        identityDifferences: recorded && identityDifferences(recorded, identity),
      };
    }),
  };
}

function sentenceOf(
  place: 'state' | 'microbatch' | 'workers',
  step: number,
  tensor: string | null,
  microbatch: number | null,
  reproduced: readonly string[],
): string {
  if (place === 'state') return `the runs differ before step ${step} already, in ${tensor}`;
  if (place === 'microbatch') {
    return `from equal states, this machine computes microbatch ${microbatch} of step ${step} differently for the two runs, first in ${tensor}`;
  }
  const whose =
    reproduced.length === 1
      ? `it computes the gradient that ${reproduced[0]} has, so a worker of the other run, or its engine, computed another`
      : 'it computes a gradient that neither run has, so both were computed by other engines or machines than this';
  return `this machine computes the same bits for both runs: ${whose}`;
}

function haveSameTensors(first: ModelLayout, second: ModelLayout): boolean {
  const shapes = ({ parameters, batchNorms }: ModelLayout) => JSON.stringify([parameters, batchNorms]);
  return shapes(first) === shapes(second);
}

/** Compares the states after the earliest later step of which both runs have a checkpoint. */
async function stateAfter(
  opened: readonly OpenedRun[],
  globalStep: number,
): Promise<Bisection['afterwards']> {
  const [ours, theirs] = await Promise.all(opened.map(({ checkpoints }) => checkpoints.steps()));
  const common = ours!.filter((step) => step > globalStep && theirs!.includes(step));
  if (common.length === 0) return null;
  const step = Math.min(...common);
  const [left, right] = await Promise.all(
    opened.map(async ({ checkpoints, layout }) => {
      const restored = await checkpoints.restore(null, { least: step, most: step });
      return stateTensors(layout, restored!.state);
    }),
  );
  return { step, tensors: reportOf(tensorDifferences(left!, right!)) };
}

function reportOf(differences: readonly TensorDifference[]): TensorReport | null {
  const [first] = differences;
  if (!first) return null;
  const sizeOf = ({ absolute }: TensorDifference) => absolute ?? Number.POSITIVE_INFINITY;
  const largest = differences.reduce((most, each) => (sizeOf(each) > sizeOf(most) ? each : most));
  return { first, largest, differing: differences.length };
}
