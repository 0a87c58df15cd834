#!/usr/bin/env node
import { createProgram, runCommandLine } from './commands/command-line.js';
import { runMain } from './console/run-main.js';

runMain(async () => {
  const program = createProgram();
  await runCommandLine(program, process.argv.slice(2));
  return undefined;
});
