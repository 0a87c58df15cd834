import type { Command } from 'commander';
import { addExamples, addWorkersOption } from './options.js';

export interface EvaluateOptions {
  /** A run's directory, `runs/NAME`. */
  readonly runDirectory: string;
  /** Undefined uses the run's. */
  readonly data: string | undefined;
  /** Undefined uses the run's. */
  readonly workers: number | undefined;
  /** Print the figures of every class. */
  readonly classes: boolean;
  /** Print everything as one JSON document. */
  readonly json: boolean;
}

interface GivenOptions {
  readonly data?: string;
  readonly workers?: number;
  readonly classes?: true;
  readonly json?: true;
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
    .option('--data <dir>', 'the dataset, if it has moved since the run')
    .option('--classes', 'also print the precision of every class, and the classes it is confused with')
    .option('--json', 'print the figures, with those of every class, as one JSON document');
  addWorkersOption(command, 'worker processes (default: the run’s setting)');
  addExamples(command, [
    'npx fcaenet evaluate runs/quick',
    'npx fcaenet evaluate runs/cub --data /data/birds',
    'npx fcaenet evaluate runs/quick --classes',
  ]);
  command.action(async (runDirectory: string, given: GivenOptions) => {
    const { data, workers, classes = false, json = false } = given;
    await evaluate({ runDirectory, data, workers, classes, json });
  });
}
