import { version } from '../../run/version.js';
import type { CompletedCommand, Values } from './tree.js';

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

/** For bash and zsh: the cases that lead from a place on the command line and a word to the command below. */
export function stepCases({ path, commands }: CompletedCommand): string[] {
  return commands.map(({ name }) => {
    const below = [...path, name].join(' ');
    return `      ${quoted(`${path.join(' ')} ${name}`)}) place=${quoted(below)} ;;`;
  });
}

/** For bash and zsh: the cases of a word that follows an option with a value. */
export function valueCases({ path, options }: CompletedCommand, add: (values: Values) => string): string[] {
  return options.flatMap(({ long, short, value }) => {
    if (value === null) return [];
    const patterns = [long, short].flatMap((flag) => (flag ? [quoted(`${path.join(' ')} ${flag}`)] : []));
    return [`    ${patterns.join(' | ')}) ${add(value)} return ;;`];
  });
}
