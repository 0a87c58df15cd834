import { Argument, type Command } from 'commander';
import { addExamples, type Shell, shells } from './options.js';

/** `fcaenet completion`: prints what teaches a shell to complete this program's command lines. */
export function registerCompletion(
  program: Command,
  complete: (program: Command, shell: Shell) => Promise<void>,
): void {
  const command = program
    .command('completion')
    .description('print a script that completes commands, options, files and settings in a shell')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(shells));
  addExamples(command, ['npx fcaenet completion bash']);
  command.action((shell: Shell) => complete(program, shell));
}
