import { version } from '../../run/version.js';
import type { CompletedCommand, CompletedOption, Values } from './tree.js';

/** The first lines of a script. */
export function completionHead(how: string): string {
  return `# Completion of fcaenet ${version}. To load it: ${how}`;
}

/** Quotes a text for bash and zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What a command or an option does, short enough for a list. */
export function firstSentence(description: string): string {
  return description.split(/[;:(]/)[0]!.trim();
}

/**
 * For bash and zsh: the cases of a place on the command line and a word behind it. They lead to the command below, pass over
 * the value of an option, and count the arguments in `count`.
 */
export function stepCases(commands: readonly CompletedCommand[]): string[] {
  const steps = commands.flatMap(({ path, commands: below }) =>
    below.map(({ name }) => {
      const place = [...path, name].join(' ');
      return `${quoted(`${path.join(' ')} ${name}`)}) place=${quoted(place)} count=0 ;;`;
    }),
  );
  const valued = commands.flatMap(valuedFlags).map(quoted);
  return [...steps, `${valued.join(' | ')}) i=$((i + 1)) ;;`, "*' -'*) ;;", '*) count=$((count + 1)) ;;'].map(
    (line) => `      ${line}`,
  );
}

/** For bash and zsh: what is offered for an argument, by the number of arguments before it. */
export function argumentCases(
  { arguments: all, repeatsLast }: CompletedCommand,
  add: (values: Values) => string,
): string {
  if (all.length === 0) return '';
  const cases = all.map((values, index) => {
    const isRest = repeatsLast && index === all.length - 1;
    return `${isRest ? '*' : index}) ${add(values)} ;;`;
  });
  return `case $count in ${cases.join(' ')} esac;`;
}

/** The flags of options with a value, each behind the place of its command: a word behind them is no argument. */
export function valuedFlags({ path, options }: CompletedCommand): string[] {
  return options.filter(({ value }) => value !== null).flatMap((option) => flagsAt(path, option));
}

function flagsAt(path: readonly string[], { long, short }: CompletedOption): string[] {
  return [long, short].flatMap((flag) => (flag ? [`${path.join(' ')} ${flag}`] : []));
}

/** For bash and zsh: the cases of a word that follows an option with a value. */
export function valueCases({ path, options }: CompletedCommand, add: (values: Values) => string): string[] {
  return options.flatMap((option) => {
    if (option.value === null) return [];
    const patterns = flagsAt(path, option).map(quoted);
    return [`    ${patterns.join(' | ')}) ${add(option.value)} return ;;`];
  });
}
