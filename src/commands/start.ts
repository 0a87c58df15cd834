import type { Command } from 'commander';
import { addExamples, addWorkersOption, collect } from './options.js';

export const startWorkers = 2;

export interface StartOptions {
  readonly data?: string;
  readonly workers?: number;
  readonly set: readonly string[];
}

/** `fcaenet start`: `npm start` runs it after the setup. */
export function registerStart(program: Command, start: (options: StartOptions) => Promise<void>): void {
  const command = program
    .command('start')
    .description('demonstration: make a synthetic dataset, train on it with two workers, print the result')
    .option('--data <dir>', 'train on this dataset instead')
    .option('--set <path=value>', 'change a setting of examples/quick.yaml; may be repeated', collect, []);
  addWorkersOption(command, `worker processes (default: ${startWorkers})`);
  addExamples(command, ['npm start', 'npm start -- --data data/CUB_200_2011']);
  command.action((options: StartOptions) => start(options));
}
