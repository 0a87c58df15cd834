import { completionHead, firstSentence } from './script.js';
import type { CompletedCommand, CompletedOption, Values } from './tree.js';

/** The commands that teach fish to complete a command line of fcaenet. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  return `${completionHead('fcaenet completion fish | source')}
function __fcaenet_at
  set -l place ""
  for word in (commandline -opc)[2..-1]
    switch "$place $word"
${commands.flatMap(steps).join('\n')}
    end
  end
  test "$place" = "$argv[1]"
end
complete -c fcaenet -f
${commands.flatMap(command).join('\n')}
`;
}

function steps({ path, commands }: CompletedCommand): string[] {
  return commands.map(({ name }) => {
    const below = [...path, name].join(' ');
    return `      case ${inFish(`${path.join(' ')} ${name}`)}\n        set place ${inFish(below)}`;
  });
}

function command({ path, commands, options, argument }: CompletedCommand): string[] {
  const here = `complete -c fcaenet -n ${inFish(`__fcaenet_at ${inFish(path.join(' '))}`)}`;
  return [
    ...commands.map(
      ({ name, description }) => `${here} -a ${inFish(name)} -d ${inFish(firstSentence(description))}`,
    ),
    ...options.map((option) => `${here} ${flags(option)} -d ${inFish(firstSentence(option.description))}`),
    ...(argument && argument.kind !== 'text' ? [`${here} ${words(argument)}`] : []),
  ];
}

function flags({ long, short, value }: CompletedOption): string {
  const names = [long ? `-l ${long.slice(2)}` : '', short ? `-s ${short.slice(1)}` : ''].filter(Boolean);
  return [...names, ...(value ? ['-r', words(value)] : [])].filter(Boolean).join(' ');
}

function words(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `-a ${inFish(values.words.join(' '))}`;
    case 'file':
      return '-F';
    case 'folder':
      return `-a ${inFish('(__fish_complete_directories)')}`;
    case 'text':
      return '';
  }
}

/** Quotes a text for fish, in whose quotes backslashes count. */
function inFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
