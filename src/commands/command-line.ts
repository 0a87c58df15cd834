import { Command, CommanderError, Help, type Option } from 'commander';
import { askForJson } from '../console/form.js';
import { print } from '../console/output.js';
import { version } from '../run/version.js';
import { addExamples, spellResumeAuto } from './options.js';
import { settingHint } from './setting-hint.js';
import { UsageError } from './usage.js';

/** The program without its commands. It throws errors and never prints them; see {@link runCommandLine}. */
export function createProgram(): Command {
  const program = new Command('fcaenet')
    .description('Trains FCAENet: short binary codes for fine-grained image retrieval.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => void print(text), writeErr: () => {}, outputError: () => {} })
    .configureHelp({ showGlobalOptions: true, optionDescription: describeOption })
    .hook('preAction', (_, command) => requireNothingEmpty(command));
  return addExamples(program, [
    'npx fcaenet dataset make data/synthetic',
    'npx fcaenet train examples/quick.yaml --set metadata.name=first',
    'npx fcaenet evaluate runs/first',
    'npx fcaenet train --help',
  ]);
}

/**
 * Refuses an empty argument or value, as of a variable of the shell that is not set: a path would mean this folder to one
 * command, and no file to another.
 * @throws CommanderError
 */
function requireNothingEmpty(command: Command): void {
  const fail = (what: string): never =>
    command.error(`error: ${what} is empty, but must have a value`, { code: 'commander.invalidArgument' });
  const place = command.args.indexOf('');
  const last = command.registeredArguments.at(-1);
  if (place >= 0) fail(`argument '${(command.registeredArguments[place] ?? last)!.name()}'`);
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value === '' || (Array.isArray(value) && value.includes(''))) fail(`the value of '${option.flags}'`);
  }
}

/**
 * An option in the help, with `(required)` where the command needs it. A default that only says that the option was left
 * out is not shown.
 */
function describeOption(option: Option): string {
  const value: unknown = option.defaultValue;
  const isNothing = value === false || (Array.isArray(value) && value.length === 0);
  const shown = isNothing ? Object.assign(Object.create(option), { defaultValue: undefined }) : option;
  const text = Help.prototype.optionDescription.call(new Help(), shown);
  return option.mandatory ? `${text} (required)` : text;
}

/**
 * Runs the command that `args` (without node and script) name.
 * @throws UsageError, and the command's errors
 */
export async function runCommandLine(program: Command, args: readonly string[]): Promise<void> {
  // Before parsing: what is wrong with the command line is printed in this form, too.
  if (args.includes('--json')) askForJson();
  try {
    await program.parseAsync(args.map(spellResumeAuto), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      throw error;
    }
    const usage = UsageError.from(error, settingHint(program, args, error.message));
    if (usage !== undefined) {
      throw usage;
    }
  }
}
