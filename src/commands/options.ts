import { isIPv6 } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readTunedSettings, requireTunedFor } from '../experiments/tuned-file.js';
import { deviceId } from '../machine/devices/select.js';
import { type Address, isNatsUrl, parseAddress } from '../run/address.js';
import { readTrainingRun } from '../run/read.js';
import type { ResumeMode } from '../run/run-directory.js';
import type { TrainingRun } from '../run/training-run.js';

/** The values of `--workers`, `--devices`, `--set` and `--resume`; see {@link addRunFileOptions}. */
export interface RunFileOptions {
  readonly workers?: number;
  readonly devices?: DeviceNames;
  readonly set: readonly string[];
  /** Files of `fcaenet tune`. */
  readonly setFrom: readonly string[];
  readonly resume?: boolean;
  readonly resumeAuto?: boolean;
}

/** Adds the run file and the options that change it to a command. */
export function addRunFileOptions(command: Command): Command {
  return addSettingOptions(command.argument('<RUN.yaml>', 'the run file'))
    .option('--resume', 'continue the run in the run directory (--resume=auto: or start it)')
    .addOption(new Option('--resume-auto').hideHelp());
}

/** Adds `--set PATH=VALUE` and `--set-from FILE` to a command. */
export function addSettingOptions(command: Command): Command {
  return command
    .option('--set <path=value>', 'change a setting of the run file; may be repeated', collect, [])
    .option(
      '--set-from <file>',
      'take the settings that `tune` has chosen, from its tune.json; --set counts more',
      collect,
      [],
    );
}

/**
 * Spells `--resume=auto` as a separate option for the parser. An option with an optional value would take the run file
 * as its value in `train --resume RUN.yaml`.
 */
export function spellResumeAuto(argument: string): string {
  return argument === '--resume=auto' ? '--resume-auto' : argument;
}

/** Adds `--workers N` to a command. */
export function addWorkersOption(command: Command, description: string): Command {
  return command.option('--workers <count>', description, wholeNumber(1, 1024));
}

/** The value of `--devices`. */
export type DeviceNames = 'auto' | 'none' | 'all' | readonly string[];

/** Adds `--devices all|none|0,2|GPU-…` to a command. */
export function addDevicesOption(command: Command, description: string): Command {
  return command.option('--devices <names>', description, deviceNames);
}

/** Adds `--workers` and `--devices` to a command that trains with workers of its own. */
export function addTrainingWorkersOptions(command: Command): Command {
  addWorkersOption(
    command,
    'worker processes; the result does not depend on it (default: one per GPU or core)',
  );
  return addDevicesOption(
    command,
    'GPUs of the workers: all, none, or numbers and UUIDs, as in 0,2 (default: auto)',
  );
}

/** Parses an option that is `auto`, `all`, `none`, or numbers and UUIDs of GPUs with commas between them. */
function deviceNames(text: string): DeviceNames {
  if (text === 'auto' || text === 'all' || text === 'none') return text;
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => deviceId.test(name))) return names;
  throw new InvalidArgumentError(
    'It must be all, none, auto, or numbers and UUIDs of GPUs with commas between them.',
  );
}

/** Adds `--join-token-file FILE` to a command. */
export function addJoinTokenOption(command: Command): Command {
  return command.option(
    '--join-token-file <file>',
    'file with the join token of the run (default: $FCAENET_JOIN_TOKEN, if it is set)',
  );
}

/**
 * The run of a command line: the run file, changed by `--set-from`, `--set`, `--workers` and `--devices`, in this order.
 */
export function readRun(path: string, options: Omit<RunFileOptions, 'resume' | 'resumeAuto'>): TrainingRun {
  const tuned = options.setFrom.map(readTunedSettings);
  const run = readTrainingRun(path, [
    ...tuned.flatMap(({ settings }) => settings),
    ...options.set,
    ...operationOverrides(options),
  ]);
  for (const each of tuned) requireTunedFor(each, run);
  return run;
}

/** `--workers` and `--devices` as for `--set`. */
export function operationOverrides({
  workers,
  devices: names,
}: Pick<RunFileOptions, 'workers' | 'devices'>): readonly string[] {
  return [
    ...(workers === undefined ? [] : [`spec.operation.workers=${workers}`]),
    ...(names === undefined
      ? []
      : [`spec.operation.devices=${typeof names === 'string' ? names : `[${names.join(',')}]`}`]),
  ];
}

export function resumeMode(options: RunFileOptions): ResumeMode {
  return options.resumeAuto ? 'auto' : options.resume ? 'resume' : 'new';
}

export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

/** Parses an option that is a whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Parses an option that is a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0 && value <= 1e9)) {
    throw new InvalidArgumentError('It must be a number above 0, at most 1000000000.');
  }
  return value;
}

/** Parses an option that is a SHA-256 in hexadecimal digits, and returns it in lower case. */
export function sha256Digest(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hexadecimal digits.');
  return text.toLowerCase();
}

/** Parses an option that is HOST:PORT. Nobody can connect to port 0. */
export function dialledAddress(text: string): string {
  const address = parseAddress(text);
  if (address === undefined || address.port === 0) {
    throw new InvalidArgumentError('It must be HOST:PORT with a port from 1 to 65535.');
  }
  return text;
}

/** Parses an option that is HOST:PORT, where port 0 takes a free one. */
export function listeningAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new InvalidArgumentError('It must be HOST:PORT with a port from 0 to 65535.');
}

/** Parses an option that is HOST or HOST:PORT. The port is null where there is none. */
export function advertisedAddress(text: string): { readonly host: string; readonly port: number | null } {
  // Kubernetes writes the address of a pod without brackets.
  const address = parseAddress(text) ?? parseAddress(isIPv6(text) ? `[${text}]:0` : `${text}:0`);
  if (address === undefined) {
    throw new InvalidArgumentError(
      'It must be HOST or HOST:PORT, with IPv6 addresses in brackets before a port.',
    );
  }
  return { host: address.host, port: address.port || null };
}

/** Parses an option that is the URL of a NATS server. */
export function natsUrl(text: string): string {
  if (!isNatsUrl(text)) throw new InvalidArgumentError('It must be nats://HOST:PORT or tls://HOST:PORT.');
  return text;
}

/** Adds `--json` to every command below that has none of its own. `runCommandLine` obeys it. */
export function addJsonOption(command: Command): void {
  for (const each of command.commands) addJsonOption(each);
  if (command.commands.length > 0 || command.options.some(({ long }) => long === '--json')) return;
  command.option('--json', 'print JSON lines on a terminal too, also for the error that ends the command');
}

/** Shells whose completion the program knows. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Adds example command lines to the end of a command's help. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}
