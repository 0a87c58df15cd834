import type { Command } from 'commander';
import { addExamples, addWorkersOption } from './options.js';

export interface EvaluateOptions {
  /** A run's directory, `runs/NAME`. */
  readonly runDirectory: string;
  /** Undefined uses the run's. */
  readonly data: string | undefined;
  /** Undefined uses the run's. */
  readonly workers: number | undefined;
}

/** `fcaenet evaluate`: the mean average precision of a run's last checkpoint on the whole test split. */
export function registerEvaluate(
  program: Command,
  evaluate: (options: EvaluateOptions) => Promise<void>,
): void {
  const command = program
    .command('evaluate')
    .description('rank the test pictures with a run’s codes and print the mean average precision')
    .argument('<RUN_DIR>', 'the run’s directory, such as runs/quick')
    .option('--data <dir>', 'the dataset, if it has moved since the run');
  addWorkersOption(command, 'worker processes (default: the run’s setting)');
  addExamples(command, [
    'npx fcaenet evaluate runs/quick',
    'npx fcaenet evaluate runs/cub --data /data/birds',
  ]);
  command.action(async (runDirectory: string, options: { data?: string; workers?: number }) => {
    await evaluate({ runDirectory, data: options.data, workers: options.workers });
  });
}
