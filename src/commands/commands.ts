import type { Command } from 'commander';
import { type MakeCertificatesOptions, registerCerts } from './certs.js';
import { type CoordinatorOptions, registerCoordinator } from './coordinator.js';
import { type DatasetActions, registerDataset } from './dataset.js';
import { type EvaluateOptions, registerEvaluate } from './evaluate.js';
import { registerStart, type StartOptions } from './start.js';
import { registerTrain, type TrainOptions } from './train.js';
import { registerWorker, type WorkerOptions } from './worker.js';

/** What the commands do, apart from how they are written on a command line. */
export interface CommandActions {
  train(options: TrainOptions): Promise<void>;
  coordinate(options: CoordinatorOptions): Promise<void>;
  work(options: WorkerOptions): Promise<void>;
  evaluate(options: EvaluateOptions): Promise<void>;
  readonly dataset: DatasetActions;
  start(options: StartOptions): Promise<void>;
  makeCerts(options: MakeCertificatesOptions): Promise<void>;
}

export function registerCommands(program: Command, actions: CommandActions): void {
  registerTrain(program, actions.train);
  registerCoordinator(program, actions.coordinate);
  registerWorker(program, actions.work);
  registerEvaluate(program, actions.evaluate);
  registerDataset(program, actions.dataset);
  registerStart(program, actions.start);
  registerCerts(program, actions.makeCerts);
}
