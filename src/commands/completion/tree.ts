import type { Argument, Command, Option } from 'commander';
import { equalities } from '../../experiments/cell.js';
import { searches } from '../../experiments/tune/rungs.js';
import { dimensionNames } from '../../experiments/tune/space.js';
import { exportFormats } from '../../export/formats.js';
import { methods } from '../../methods/methods.js';
import { publishedWeights } from '../../model/weights/catalogue.js';
import { settingPaths } from '../../run/check.js';

/** What may follow on a command line: words that are known, a path, or anything else, which nobody can complete. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' | 'folder' | 'text' };

export interface CompletedOption {
  /** With its dashes; null when the option has only the other form. */
  readonly long: string | null;
  readonly short: string | null;
  readonly description: string;
  /** Null when the option takes no value. */
  readonly value: Values | null;
}

/** A command, or the program itself, as far as a shell completes it. */
export interface CompletedCommand {
  /** The words that lead to it, without the program's name; empty for the program. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** What its arguments are, in their order. */
  readonly arguments: readonly Values[];
  /** Whether the last argument may be there several times. */
  readonly repeatsLast: boolean;
}

/** Words that only the code of a command knows, by the command and the name of the option or argument. */
function knownWords(): Readonly<Record<string, readonly string[]>> {
  return {
    'export --format': exportFormats,
    'weights fetch NAME': publishedWeights.map(({ name }) => name),
    '--methods': methods,
    '--equal': equalities,
    'tune --search': searches,
    'tune --vary': dimensionNames,
    '--checkpoint': ['last', 'best'],
    '--devices': ['all', 'none', 'auto'],
    '--set': settingPaths().map((path) => `${path}=`),
  };
}

/** Every command of a program, the program first. */
export function completedCommands(program: Command): CompletedCommand[] {
  const words = knownWords();
  const visit = (command: Command, path: readonly string[]): CompletedCommand[] => {
    return [
      describe(command, path, words),
      ...visible(command).flatMap((each) => visit(each, [...path, each.name()])),
    ];
  };
  return visit(program, []);
}

function visible(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help');
}

function describe(
  command: Command,
  path: readonly string[],
  words: Readonly<Record<string, readonly string[]>>,
): CompletedCommand {
  const { registeredArguments } = command;
  const name = path.join(' ');
  return {
    path,
    commands: visible(command).map((each) => ({
      name: each.name(),
      description: each.summary() || each.description(),
    })),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => optionOf(option, words[`${name} ${option.long}`] ?? words[option.long ?? ''])),
    arguments: registeredArguments.map((each) => argumentOf(each, words[`${name} ${each.name()}`])),
    repeatsLast: registeredArguments.at(-1)?.variadic ?? false,
  };
}

function optionOf(option: Option, words: readonly string[] | undefined): CompletedOption {
  const { long = null, short = null, description, flags } = option;
  const placeholder = /[<[](.+)[>\]]$/.exec(flags)?.[1];
  const takesValue = option.required || option.optional;
  return {
    long,
    short,
    description,
    value: takesValue ? valuesOf(placeholder ?? '', words ?? option.argChoices) : null,
  };
}

function argumentOf(argument: Argument, words: readonly string[] | undefined): Values {
  return valuesOf(argument.name(), words ?? argument.argChoices);
}

/** What a placeholder such as `dir` or `RUN.yaml` stands for. */
function valuesOf(placeholder: string, words: readonly string[] | undefined): Values {
  if (words) return { kind: 'words', words };
  if (/dir$|^run$/i.test(placeholder)) return { kind: 'folder' };
  if (/file|image|list|manifests|\.yaml$|\.safetensors$/i.test(placeholder)) return { kind: 'file' };
  return { kind: 'text' };
}
