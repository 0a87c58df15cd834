import type { Command } from 'commander';
import { settingCalled } from '../run/check.js';

/**
 * Suggests the `--set` for an unknown option that is the name of a setting: for `--epochs 5` it is `--set
 * spec.schedule.epochs=5`.
 * @param args the command line, the command first
 * @param complaint the parser's, which names the option
 * @returns undefined when the command has no `--set`, or no setting has this name
 */
export function settingHint(
  program: Command,
  args: readonly string[],
  complaint: string,
): string | undefined {
  const command = program.commands.find((each) => each.name() === args[0]);
  if (!command?.options.some(({ long }) => long === '--set')) return undefined;
  const [, flag, joined] = /unknown option '(--[^'=]+)(?:=(.*))?'/s.exec(complaint) ?? [];
  const setting = flag && settingCalled(flag.slice(2));
  if (!setting) return undefined;
  const typed = joined ?? args[args.indexOf(flag) + 1] ?? '';
  // Other values might need quotes in the shell.
  const value = /^[\w.,:/[\]][\w.,:/[\]-]{0,80}$/.test(typed) ? typed : 'VALUE';
  return `--set ${setting}=${value}`;
}
