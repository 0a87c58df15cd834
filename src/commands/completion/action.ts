import type { Command } from 'commander';
import { print } from '../../console/output.js';
import type { Shell } from '../options.js';
import { bashScript } from './bash.js';
import { fishScript } from './fish.js';
import { type CompletedCommand, completedCommands } from './tree.js';
import { zshScript } from './zsh.js';

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script that completes the program's command lines in a shell. */
export function completionScript(program: Command, shell: Shell): string {
  return scripts[shell](completedCommands(program));
}

/** `fcaenet completion`. */
export function printCompletion(program: Command, shell: Shell): Promise<void> {
  return print(completionScript(program, shell));
}
