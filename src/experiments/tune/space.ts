import type { KeyedRandom } from '../../data/random.js';
import { Purpose } from '../../data/random.js';
import { featureMethod, usesErasing, usesPositives } from '../../methods/methods.js';
import type { TrainingRunSpec } from '../../run/training-run.js';
import type { TunablePath, TunedValues } from '../tuned-file.js';

/** What a search can vary, by its name on the command line. */
const dimensions = {
  alpha: {
    path: 'spec.loss.alpha',
    isUsed: ({ method }) => usesPositives(method),
    own: ({ loss }) => loss.alpha,
    draw: (unit) => logarithmic(unit, 0.01, 100),
  },
  beta: {
    path: 'spec.loss.beta',
    isUsed: ({ method }) => usesErasing(method),
    own: ({ loss }) => loss.beta,
    draw: (unit) => logarithmic(unit, 0.01, 100),
  },
  'learning-rate': {
    path: 'spec.schedule.learningRate',
    isUsed: ({ method }) => featureMethod(method) === null,
    own: ({ schedule }) => schedule.learningRate,
    draw: (unit, { schedule }) =>
      logarithmic(unit, schedule.learningRate / 10, Math.min(10, schedule.learningRate * 10)),
  },
  schedule: {
    path: 'spec.schedule.decayAfter',
    isUsed: ({ method }) => featureMethod(method) === null,
    own: ({ schedule }) => schedule.decayAfter.map((iteration) => iteration / schedule.iterations),
    draw: (unit) => decays[Math.floor(unit * decays.length)]!,
  },
  regions: {
    path: 'spec.erasing.regions',
    isUsed: ({ method }) => usesErasing(method),
    own: ({ erasing }) => erasing.regions,
    draw: (unit, { model }) => Math.min(model.imageSize ** 2, 10 + Math.floor(unit * 141)),
  },
  size: {
    path: 'spec.erasing.size',
    isUsed: ({ method }) => usesErasing(method),
    own: ({ erasing }) => erasing.size,
    draw: (unit, { model }) => Math.max(1, Math.round((logarithmic(unit, 16, 128) * model.imageSize) / 224)),
  },
} as const satisfies Record<string, Dimension>;
export type DimensionName = keyof typeof dimensions;
export const dimensionNames = Object.keys(dimensions) as readonly DimensionName[];

/**
 * The iterations after which the learning rate falls, as shares of all: never, and the forms of the paper's schedules
 * with one to three falls (20 and 30 of 40; 30, 45 and 55 of 60).
 */
const decays: readonly (readonly number[])[] = [
  [],
  [1 / 2],
  [3 / 4],
  [1 / 2, 3 / 4],
  [1 / 2, 3 / 4, 11 / 12],
];

interface Dimension {
  readonly path: TunablePath;
  /** Whether the setting has an effect on this run. */
  readonly isUsed: (spec: TrainingRunSpec) => boolean;
  /** The run file's value. A schedule is in shares of the iterations. */
  readonly own: (spec: TrainingRunSpec) => number | readonly number[];
  /** @param unit uniform in [0, 1) */
  readonly draw: (unit: number, spec: TrainingRunSpec) => number | readonly number[];
}

/** Values of a trial, by dimension. A schedule is in shares of the iterations, so that it fits every rung. */
export type TrialValues = Readonly<Partial<Record<DimensionName, number | readonly number[]>>>;

/** The dimensions that have an effect on a run, in their usual order. */
export function usedDimensions(spec: TrainingRunSpec): readonly DimensionName[] {
  return dimensionNames.filter((name) => dimensions[name].isUsed(spec));
}

/**
 * The values of a trial. Trial 0 has the run file's. The value of a dimension depends on seed, trial and dimension only,
 * so more trials or fewer dimensions change no other value.
 */
export function valuesOf(
  trial: number,
  names: readonly DimensionName[],
  spec: TrainingRunSpec,
  random: KeyedRandom,
): TrialValues {
  return Object.fromEntries(
    names.map((name) => {
      const dimension: Dimension = dimensions[name];
      if (trial === 0) return [name, dimension.own(spec)];
      const unit = random.unit(Purpose.trial, trial, 0, dimensionNames.indexOf(name));
      return [name, dimension.draw(unit, spec)];
    }),
  );
}

/** The settings of a trial in a run of so many iterations. */
export function settingsOf(values: TrialValues, iterations: number): TunedValues {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      dimensions[name as DimensionName].path,
      Array.isArray(value) ? decayIterations(value, iterations) : value,
    ]),
  );
}

/** Whole iterations from shares: each at least 1, and none twice. */
function decayIterations(shares: readonly number[], iterations: number): number[] {
  return [...new Set(shares.map((share) => Math.max(1, Math.round(share * iterations))))];
}

/** Uniform in the logarithm, with three significant digits. */
function logarithmic(unit: number, least: number, most: number): number {
  return Number((least * (most / least) ** unit).toPrecision(3));
}
