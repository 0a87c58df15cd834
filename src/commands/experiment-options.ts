import { type Command, InvalidArgumentError } from 'commander';
import { quote } from '../errors.js';
import { type Equality, equalities } from '../experiments/cell.js';
import type { TunedSettings } from '../experiments/plan-grid.js';
import { readTunedSettings } from '../experiments/tuned-file.js';
import { nearestName } from '../run/nearest-name.js';
import {
  addSettingOptions,
  addTrainingWorkersOptions,
  operationOverrides,
  positiveNumber,
  type RunFileOptions,
  wholeNumber,
} from './options.js';
import { UsageError } from './usage.js';

/** What `table` and `ablate` have in common. */
export interface ExperimentOptions {
  readonly runFile: string;
  /** `--set` options, and those that stand for one. */
  readonly overrides: readonly string[];
  readonly tuned: readonly TunedSettings[];
  /** Null takes the run file's. */
  readonly bits: readonly number[] | null;
  readonly seedCount: number;
  /** Null takes those of the experiment. */
  readonly equal: readonly Equality[] | null;
  /** Null takes a folder named after the run. */
  readonly output: string | null;
  /** What to do: carry out what is missing, or only one of the others. */
  readonly action: 'run' | 'plan' | 'report' | 'manifests';
  /** Folder of the manifests; null for another action. */
  readonly manifests: string | null;
  /** Training speed of one worker, for the plan. */
  readonly imagesPerSecond: number | undefined;
}

export interface ExperimentFlags extends Pick<RunFileOptions, 'workers' | 'devices' | 'set' | 'setFrom'> {
  readonly data?: string;
  readonly bits?: readonly number[];
  readonly seeds: number;
  readonly equal?: readonly Equality[];
  readonly output?: string;
  readonly plan?: true;
  readonly report?: true;
  readonly manifests?: string;
  readonly imagesPerSecond?: number;
}

/** What an experiment takes for options that are left out, in words for the help. */
export interface ExperimentDefaults {
  readonly bits: string;
  readonly equal: string;
  /** Folder of outputs, without the run file's name. */
  readonly folder: string;
}

export function addExperimentOptions(command: Command, { bits, equal, folder }: ExperimentDefaults): void {
  command
    .option('--data <dir>', 'the dataset, if it is not the run file’s')
    .option(
      '--bits <lengths>',
      `code lengths with commas between them (default: ${bits})`,
      listOf(wholeNumber(1, 64)),
    )
    .option(
      '--seeds <count>',
      'runs of each method and code length; the first has the run file’s seed, the next ones the numbers behind it',
      wholeNumber(1, 1000),
      3,
    )
    .option(
      '--equal <what>',
      `compare at equal steps, equal images, or none, with commas between them (docs/comparison.md; default: ${equal})`,
      listOf(nameOf(equalities, 'equality')),
    )
    .option('--output <dir>', `folder of tables and runs (default: ${folder}/NAME, with the run file’s name)`)
    .option('--plan', 'only show what would run, and what it takes')
    .option('--report', 'only write the tables of the runs that have a result')
    .option('--manifests <dir>', 'only write the runs without a result as queued Jobs for Kubernetes')
    .option(
      '--images-per-second <rate>',
      'with --plan: images that one worker trains on per second',
      positiveNumber,
    );
  addSettingOptions(command);
  addTrainingWorkersOptions(command);
}

export function experimentOptions(runFile: string, flags: ExperimentFlags): ExperimentOptions {
  const { data, bits, seeds, equal, output, plan, report, manifests, imagesPerSecond, setFrom } = flags;
  const actions = [
    ...(plan ? (['plan'] as const) : []),
    ...(report ? (['report'] as const) : []),
    ...(manifests === undefined ? [] : (['manifests'] as const)),
  ];
  if (actions.length > 1) {
    throw new UsageError(
      `--${actions[0]} is accepted only without --${actions[1]}: each is instead of running`,
    );
  }
  requirePlanForSpeed(plan === true, imagesPerSecond);
  return {
    runFile,
    overrides: [
      ...flags.set,
      ...(data === undefined ? [] : [`spec.dataset.path=${data}`]),
      ...operationOverrides(flags),
    ],
    tuned: setFrom.map(readTunedSettings),
    bits: bits ?? null,
    seedCount: seeds,
    equal: equal ?? null,
    output: output ?? null,
    action: actions[0] ?? 'run',
    manifests: manifests ?? null,
    imagesPerSecond,
  };
}

/** @throws UsageError when a speed is given, which only a plan uses */
export function requirePlanForSpeed(plan: boolean, imagesPerSecond: number | undefined): void {
  if (imagesPerSecond !== undefined && !plan) {
    throw new UsageError('--images-per-second is accepted only with --plan');
  }
}

/** Parses a list with commas between its members, each of which is there once. */
export function listOf<Value>(parse: (text: string) => Value): (text: string) => readonly Value[] {
  return (text) => {
    const words = text.split(',').map((word) => word.trim());
    const values = words.map(parse);
    const again = words.find((_, index) => values.indexOf(values[index]!) < index);
    if (again === undefined) return values;
    throw new InvalidArgumentError(`It names ${quote(again)} twice.`);
  };
}

/** Parses one of some names. */
export function nameOf<Name extends string>(names: readonly Name[], what: string): (text: string) => Name {
  return (text) => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    const nearest = nearestName(text, names);
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    throw new InvalidArgumentError(
      `${quote(text)} is no ${what}, expected one of ${names.join(', ')}${hint || '.'}`,
    );
  };
}
