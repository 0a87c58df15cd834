import { type Command, InvalidArgumentError, Option } from 'commander';
import { isNatsUrl, parseAddress } from '../run/address.js';
import { readTrainingRun } from '../run/read.js';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';

/** What `--workers`, `--set` and `--resume` leave behind; see {@link addRunFileOptions}. */
export interface RunFileOptions {
  readonly workers?: number;
  readonly set: readonly string[];
  readonly resume?: boolean;
  readonly resumeAuto?: boolean;
}

/** Gives a command its run file and the options that change it. */
export function addRunFileOptions(command: Command): Command {
  return command
    .argument('<RUN.yaml>', 'the run file')
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, [])
    .option('--resume', 'go on with the run in the run directory (--resume=auto: or begin it)')
    .addOption(new Option('--resume-auto').hideHelp());
}

/**
 * `--resume=auto` as the parser's own option. An option with an optional value would take the run file for that
 * value in `train --resume RUN.yaml`.
 */
export function spellResumeAuto(argument: string): string {
  return argument === '--resume=auto' ? '--resume-auto' : argument;
}

/** Gives a command `--workers N`. */
export function addWorkersOption(command: Command, description: string): Command {
  return command.option('--workers <count>', description, wholeNumber(1, 1024));
}

/** Gives a command `--join-token-file FILE`. */
export function addJoinTokenOption(command: Command): Command {
  return command.option(
    '--join-token-file <file>',
    'file of the token that workers of the run share (default: $FCAENET_JOIN_TOKEN, if it is set)',
  );
}

/** The run a command line describes: the run file, changed by `--set` and `--workers`. */
export function readRun(path: string, options: RunFileOptions): TrainingRun {
  const workers = options.workers === undefined ? [] : [`spec.operation.workers=${options.workers}`];
  return readTrainingRun(path, [...options.set, ...workers]);
}

export function resumeMode(options: RunFileOptions): ResumeMode {
  return options.resumeAuto ? 'auto' : options.resume ? 'resume' : 'new';
}

export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

/** Parser of an option that is a whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Parser of an option that is a SHA-256 in hexadecimal digits, which come out in lower case. */
export function sha256Digest(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hexadecimal digits.');
  return text.toLowerCase();
}

/** Parser of an option that is HOST:PORT; port 0 cannot be dialled. */
export function dialledAddress(text: string): string {
  const address = parseAddress(text);
  if (address === undefined || address.port === 0) {
    throw new InvalidArgumentError('It must be HOST:PORT with a port from 1 to 65535.');
  }
  return text;
}

/** Parser of an option that says where a NATS server is. */
export function natsUrl(text: string): string {
  if (!isNatsUrl(text)) throw new InvalidArgumentError('It must be nats://HOST:PORT or tls://HOST:PORT.');
  return text;
}

/** The end of a command's help: command lines to copy. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}
