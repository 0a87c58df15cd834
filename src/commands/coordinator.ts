import type { Command } from 'commander';
import { addExamples, addRunFileOptions, type RunFileOptions, readRun, resumeMode } from './options.js';
import type { TrainOptions } from './train.js';

/** `fcaenet coordinator`: a run whose workers are started elsewhere. */
export function registerCoordinator(
  program: Command,
  coordinate: (options: TrainOptions) => Promise<void>,
): void {
  const command = program
    .command('coordinator')
    .description('lead a run whose workers are started separately');
  addRunFileOptions(command);
  addExamples(command, [
    'npx fcaenet coordinator examples/cub.yaml --set spec.operation.listen=127.0.0.1:7400',
    'npx fcaenet coordinator examples/cub.yaml --resume=auto',
  ]);
  command.action(async (path: string, options: RunFileOptions) => {
    await coordinate({ run: readRun(path, options), resume: resumeMode(options) });
  });
}
