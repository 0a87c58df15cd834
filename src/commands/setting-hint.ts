import type { Command } from 'commander';
import { settingCalled } from '../run/check.js';

/**
 * Says how `--set` does what an unknown option may have meant: for `--epochs 5` that is `--set spec.schedule.epochs=5`.
 *
 * @param args the command line, the command first
 * @param complaint the parser's, which names the option
 * @returns undefined where the command has no `--set`, or no setting is called so
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
  // Anything else might need quotes for the shell.
  const value = /^[\w.,:/[\]][\w.,:/[\]-]{0,80}$/.test(typed) ? typed : 'VALUE';
  return `--set ${setting}=${value}`;
}
