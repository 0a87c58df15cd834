import type { Command } from 'commander';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';
import {
  addExamples,
  addRunFileOptions,
  addTrainingWorkersOptions,
  type RunFileOptions,
  readRun,
  resumeMode,
} from './options.js';

export interface TrainOptions {
  readonly run: TrainingRun;
  readonly resume: ResumeMode;
}

/** `fcaenet train`: the coordinator and its workers on this machine, in one command. */
export function registerTrain(program: Command, train: (options: TrainOptions) => Promise<void>): void {
  const command = program
    .command('train')
    .description('train a run with a coordinator and workers on this machine');
  addRunFileOptions(command);
  addTrainingWorkersOptions(command);
  addExamples(command, [
    'npx fcaenet train examples/quick.yaml --set metadata.name=first',
    'npx fcaenet train examples/cub.yaml --set metadata.name=short-codes --set spec.bits=12',
    'npx fcaenet train examples/cub-24bit.yaml --devices 0,2',
    'npx fcaenet train examples/cub.yaml --set spec.dataset.path=/data/birds --resume=auto',
  ]);
  command.action(async (path: string, options: RunFileOptions) => {
    await train({ run: readRun(path, options), resume: resumeMode(options) });
  });
}
