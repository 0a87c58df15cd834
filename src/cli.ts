#!/usr/bin/env node
import { createProgram, runCommandLine } from './commands/command-line.js';
import { registerCoordinator } from './commands/coordinator.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerTrain } from './commands/train.js';
import { registerWorker } from './commands/worker.js';
import { runMain } from './console/run-main.js';

// What a command needs is loaded when it runs: help and bad flags answer at once, and only workers load an engine.
runMain(async () => {
  const program = createProgram();
  registerTrain(program, async (options) => (await import('./coordinator/command.js')).train(options));
  registerCoordinator(program, async (options) => (await import('./coordinator/command.js')).lead(options));
  registerWorker(program, async (options) => (await import('./worker/command.js')).work(options));
  registerEvaluate(program, async (options) => (await import('./coordinator/command.js')).evaluate(options));
  await runCommandLine(program, process.argv.slice(2));
  return undefined;
});
