import type { Command } from 'commander';
import { defaultOperation } from '../run/presets.js';
import { addExamples, addWorkersOption } from './options.js';
import { UsageError } from './usage.js';

export interface BisectOptions {
  /** The runs' directories. */
  readonly first: string;
  readonly second: string;
  /** The dataset's folder; undefined takes the runs'. */
  readonly data: string | undefined;
  /** Undefined takes the runs'. */
  readonly workers: number | undefined;
}

export interface RunsActions {
  list(folder: string): Promise<void>;
  compare(first: string, second: string): Promise<void>;
  bisect(options: BisectOptions): Promise<void>;
}

/** `fcaenet runs [DIR]` and `fcaenet runs compare A B`. */
export function registerRuns(program: Command, actions: RunsActions): void {
  const runs = program.command('runs').description('list the runs in a folder, or compare two');
  const list = runs
    .command('list', { isDefault: true })
    .description('state, position and mean average precision of each run; the default')
    .argument('[DIR]', 'the folder that holds the runs', defaultOperation.runsDirectory);
  addExamples(list, ['npx fcaenet runs', 'npx fcaenet runs list /data/runs']);
  list.action((folder: string) => actions.list(folder));
  const compare = runs
    .command('compare')
    .description('different settings, digests, and the mean average precision of each iteration')
    .argument('<RUN_DIR>', 'a run’s directory')
    .argument('<OTHER_RUN_DIR>', 'another run’s directory')
    .option('--bisect', 'find where they part: the step, the microbatch and the tensor')
    .option('--data <dir>', 'with --bisect: the dataset, when it is no longer where the runs had it');
  addWorkersOption(compare, 'with --bisect: worker processes (default: as the runs say)');
  addExamples(compare, [
    'npx fcaenet runs compare runs/quick runs/cub',
    'npx fcaenet runs compare --bisect runs/quick runs/quick-again',
  ]);
  compare.action(
    (first: string, second: string, options: { bisect?: true; data?: string; workers?: number }) => {
      const { bisect, data, workers } = options;
      if (bisect) return actions.bisect({ first, second, data, workers });
      for (const [option, value] of Object.entries({ data, workers })) {
        if (value === undefined) continue;
        throw new UsageError(`runs compare accepts --${option} ${value} only with --bisect`);
      }
      return actions.compare(first, second);
    },
  );
}
