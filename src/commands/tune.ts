import { type Command, InvalidArgumentError } from 'commander';
import { type Search, searches } from '../experiments/tune/rungs.js';
import { type DimensionName, dimensionNames } from '../experiments/tune/space.js';
import { listOf, nameOf, requirePlanForSpeed } from './experiment-options.js';
import {
  addExamples,
  addTrainingWorkersOptions,
  collect,
  operationOverrides,
  positiveNumber,
  type RunFileOptions,
  wholeNumber,
} from './options.js';

export interface TuneOptions {
  readonly runFile: string;
  readonly overrides: readonly string[];
  readonly search: Search;
  readonly trials: number;
  readonly seed: number;
  readonly holdOut: number;
  /** Null varies all that have an effect. */
  readonly vary: readonly DimensionName[] | null;
  /** Null takes a folder named after the run. */
  readonly output: string | null;
  /** Whether it only shows what would run. */
  readonly plan: boolean;
  /** Training speed of one worker, for the plan. */
  readonly imagesPerSecond: number | undefined;
}

interface Flags extends Pick<RunFileOptions, 'workers' | 'devices' | 'set'> {
  readonly search: Search;
  readonly trials: number;
  readonly seed: number;
  readonly holdOut: number;
  readonly vary?: readonly DimensionName[];
  readonly output?: string;
  readonly plan: boolean;
  readonly imagesPerSecond?: number;
}

/** `fcaenet tune`: a search of settings on a hold-out of the train split. */
export function registerTune(program: Command, tune: (options: TuneOptions) => Promise<void>): void {
  const command = program
    .command('tune')
    .description('search settings on a part of the train split; the test split is not used')
    .argument('<RUN.yaml>', 'the run file')
    .option(
      '--trials <count>',
      'settings to try, of which trial 0 has the run file’s own',
      wholeNumber(2, 999),
      20,
    )
    .option(
      '--search <kind>',
      'random: every trial in full; halving: short runs first, longer ones for the best third',
      nameOf(searches, 'search'),
      'random',
    )
    .option(
      '--vary <names>',
      `settings to search, of ${dimensionNames.join(', ')} (default: all that the method uses)`,
      listOf(nameOf(dimensionNames, 'setting to search')),
    )
    .option('--hold-out <share>', 'share of each class that is held out', share, 0.2)
    .option('--seed <number>', 'decides hold-out and trials', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option(
      '--output <dir>',
      'folder of tune.json and the runs (default: tuning/NAME, with the run file’s name)',
    )
    .option('--plan', 'only show what would run, and what it takes', false)
    .option(
      '--images-per-second <rate>',
      'with --plan: images that one worker trains on per second',
      positiveNumber,
    )
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, []);
  addTrainingWorkersOptions(command);
  addExamples(command, [
    'npx fcaenet tune examples/cub-24bit.yaml --search halving --trials 27',
    'npx fcaenet tune examples/quick.yaml --trials 4 --vary alpha,beta',
    'npx fcaenet tune examples/cub-24bit.yaml --search halving --trials 27 --plan',
  ]);
  command.action(async (runFile: string, flags: Flags) => {
    const { search, trials, seed, holdOut, vary, output, plan, imagesPerSecond } = flags;
    requirePlanForSpeed(plan, imagesPerSecond);
    const overrides = [...flags.set, ...operationOverrides(flags)];
    await tune({
      ...{ runFile, overrides, search, trials, seed, holdOut },
      ...{ vary: vary ?? null, output: output ?? null, plan, imagesPerSecond },
    });
  });
}

function share(text: string): number {
  const value = Number(text);
  if (!/^\d*\.\d+$/.test(text) || !(value > 0 && value < 1)) {
    throw new InvalidArgumentError('It must be a number between 0 and 1, as 0.2.');
  }
  return value;
}
