import type { Command } from 'commander';
import {
  addExamples,
  addJoinTokenOption,
  addRunFileOptions,
  type RunFileOptions,
  readRun,
  resumeMode,
} from './options.js';
import type { TrainOptions } from './train.js';

export interface CoordinatorOptions extends TrainOptions {
  /** Undefined takes the token from the environment, if it is there. */
  readonly joinTokenFile: string | undefined;
}

/** `fcaenet coordinator`: a run whose workers are started elsewhere. */
export function registerCoordinator(
  program: Command,
  coordinate: (options: CoordinatorOptions) => Promise<void>,
): void {
  const command = program
    .command('coordinator')
    .description('lead a run whose workers are started separately');
  addRunFileOptions(command);
  addJoinTokenOption(command);
  addExamples(command, [
    'npx fcaenet coordinator examples/cub.yaml --set spec.operation.listen=127.0.0.1:7400',
    'npx fcaenet coordinator examples/cub.yaml --resume=auto',
  ]);
  command.action(async (path: string, options: RunFileOptions & { readonly joinTokenFile?: string }) => {
    const { joinTokenFile } = options;
    await coordinate({ run: readRun(path, options), resume: resumeMode(options), joinTokenFile });
  });
}
