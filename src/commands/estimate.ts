import { type Command, InvalidArgumentError } from 'commander';
import type { TrainingRun } from '../run/training-run.js';
import { addExamples, addWorkersOption, collect, readRun } from './options.js';

export interface EstimateOptions {
  readonly run: TrainingRun;
  /** Of one worker, forward and backward; undefined measures it. */
  readonly imagesPerSecond: number | undefined;
}

interface Flags {
  readonly set: readonly string[];
  readonly workers?: number;
  readonly imagesPerSecond?: number;
}

/** `fcaenet estimate`: the size of a run, before it is started. */
export function registerEstimate(
  program: Command,
  estimate: (options: EstimateOptions) => Promise<void>,
): void {
  const command = program
    .command('estimate')
    .description('estimate a run: images, steps, bytes, hours, and the useful number of workers')
    .argument('<RUN.yaml>', 'the run file')
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, [])
    .option(
      '--images-per-second <rate>',
      'images that one worker trains on per second (default: measured here)',
      positiveNumber,
    );
  addWorkersOption(command, 'a number of workers to show besides the useful ones');
  addExamples(command, [
    'npx fcaenet estimate examples/cub.yaml',
    'npx fcaenet estimate examples/vegfru-48bit.yaml --images-per-second 400 --workers 6',
  ]);
  command.action(async (path: string, flags: Flags) => {
    await estimate({ run: readRun(path, flags), imagesPerSecond: flags.imagesPerSecond });
  });
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0 && value <= 1e9)) {
    throw new InvalidArgumentError('It must be a number above 0, at most 1000000000.');
  }
  return value;
}
