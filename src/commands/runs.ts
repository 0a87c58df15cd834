import type { Command } from 'commander';
import { defaultOperation } from '../run/presets.js';
import { addExamples } from './options.js';

export interface RunsActions {
  list(folder: string): Promise<void>;
  compare(first: string, second: string): Promise<void>;
}

/** `fcaenet runs [DIR]` and `fcaenet runs compare A B`. */
export function registerRuns(program: Command, actions: RunsActions): void {
  const runs = program.command('runs').description('list the runs in a folder, or compare two');
  const list = runs
    .command('list', { isDefault: true })
    .description('state, position and mean average precision of each run')
    .argument('[DIR]', 'the folder that holds the runs', defaultOperation.runsDirectory);
  addExamples(list, ['npx fcaenet runs', 'npx fcaenet runs list /data/runs']);
  list.action((folder: string) => actions.list(folder));
  const compare = runs
    .command('compare')
    .description('different settings, digests, and the mean average precision of each iteration')
    .argument('<RUN_DIR>', 'a run’s directory')
    .argument('<OTHER_RUN_DIR>', 'another run’s directory');
  addExamples(compare, ['npx fcaenet runs compare runs/quick runs/cub']);
  compare.action((first: string, second: string) => actions.compare(first, second));
}
