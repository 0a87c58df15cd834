import type { Command } from 'commander';
import {
  addExamples,
  addJoinTokenOption,
  addRunFileOptions,
  type RunFileOptions,
  readRun,
  resumeMode,
  wholeNumber,
} from './options.js';
import type { TrainOptions } from './train.js';

export interface CoordinatorOptions extends TrainOptions {
  /** Undefined reads the token from the environment, if it is set. */
  readonly joinTokenFile: string | undefined;
  /**
   * How long workers are told that a run is over; null uses the default, which is longer when it had already finished.
   */
  readonly farewellSeconds: number | null;
}

interface Flags extends RunFileOptions {
  readonly joinTokenFile?: string;
  readonly farewell?: number;
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
  command.option(
    '--farewell <seconds>',
    'how long to tell late workers that the run is over (default: 15 if it had already finished, else 0)',
    wholeNumber(0, 86_400),
  );
  addExamples(command, [
    'npx fcaenet coordinator examples/cub.yaml --set spec.operation.listen=127.0.0.1:7400',
    'npx fcaenet coordinator examples/cub.yaml --resume=auto',
  ]);
  command.action(async (path: string, options: Flags) => {
    const { joinTokenFile, farewell } = options;
    await coordinate({
      run: readRun(path, options),
      resume: resumeMode(options),
      joinTokenFile,
      farewellSeconds: farewell ?? null,
    });
  });
}
