import type { Command } from 'commander';
import type { TrainingRun } from '../run/training-run.js';
import {
  addExamples,
  addSettingOptions,
  addWorkersOption,
  positiveNumber,
  readRun,
  wholeNumber,
} from './options.js';
import { UsageError } from './usage.js';

export interface EstimateOptions {
  readonly run: TrainingRun;
  /** Of each worker. */
  readonly devices: number;
  /** Of one device, forward and backward; undefined measures it. */
  readonly imagesPerSecond: number | undefined;
  /** What `doctor RUN.yaml --json` printed on the workers' machine, to take their speed from. */
  readonly doctor: string | undefined;
}

interface Flags {
  readonly set: readonly string[];
  readonly setFrom: readonly string[];
  readonly workers?: number;
  readonly devicesPerWorker: number;
  readonly imagesPerSecond?: number;
  readonly doctor?: string;
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
    .option(
      '--images-per-second <rate>',
      'images that one device trains on per second (default: measured here)',
      positiveNumber,
    )
    .option(
      '--doctor <file>',
      'take the speed of a device from this file, which `doctor RUN.yaml --json` printed on its machine',
    );
  addSettingOptions(command);
  addWorkersOption(command, 'a number of workers to show besides the useful ones');
  command.option(
    '--devices-per-worker <count>',
    'GPUs or processes of each worker: a machine with worker --devices all is one worker',
    wholeNumber(1, 256),
    1,
  );
  addExamples(command, [
    'npx fcaenet estimate examples/cub.yaml',
    'npx fcaenet estimate examples/vegfru-48bit.yaml --images-per-second 400 --workers 6',
    'npx fcaenet estimate examples/vegfru-48bit.yaml --doctor doctor.json --workers 4 --devices-per-worker 2',
  ]);
  command.action(async (path: string, flags: Flags) => {
    const { devicesPerWorker: devices, imagesPerSecond, doctor } = flags;
    if (imagesPerSecond !== undefined && doctor !== undefined) {
      throw new UsageError('estimate accepts --images-per-second or --doctor, not both');
    }
    await estimate({ run: readRun(path, flags), devices, imagesPerSecond, doctor });
  });
}
