import { completionHead, firstSentence, valuedFlags } from './script.js';
import type { CompletedCommand, CompletedOption, Values } from './tree.js';

/** The commands that teach fish to complete a command line of fcaenet. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  return `${completionHead('fcaenet completion fish | source')}
# Whether the words so far lead to a command, and have so many arguments of it: \`__fcaenet_at 'runs list' -eq 0\`
function __fcaenet_at
  set -l place ""
  set -l count 0
  set -l skips no
  for word in (commandline -opc)[2..-1]
    if test $skips = yes
      set skips no
      continue
    end
    switch "$place $word"
${commands.flatMap(steps).join('\n')}
      case ${commands.flatMap(valuedFlags).map(inFish).join(' ')}
        set skips yes
      case '* -*'
      case '*'
        set count (math $count + 1)
    end
  end
  test "$place" = "$argv[1]"; or return 1
  test (count $argv) -lt 3; or test $count $argv[2] $argv[3]
end
complete -c fcaenet -f
${commands.flatMap(command).join('\n')}
`;
}

function steps({ path, commands }: CompletedCommand): string[] {
  return commands.map(({ name }) => {
    const below = [...path, name].join(' ');
    return `      case ${inFish(`${path.join(' ')} ${name}`)}\n        set place ${inFish(below)}\n        set count 0`;
  });
}

function command({ path, commands, options, ...completed }: CompletedCommand): string[] {
  const at = (rest = '') =>
    `complete -c fcaenet -n ${inFish(`__fcaenet_at ${inFish(path.join(' '))}${rest}`)}`;
  const here = at();
  return [
    ...commands.map(
      ({ name, description }) => `${here} -a ${inFish(name)} -d ${inFish(firstSentence(description))}`,
    ),
    ...options.map((option) => `${here} ${flags(option)} -d ${inFish(firstSentence(option.description))}`),
    ...completed.arguments.flatMap((values, index) => {
      const isRest = completed.repeatsLast && index === completed.arguments.length - 1;
      return values.kind === 'text'
        ? []
        : [`${at(isRest ? ` -ge ${index}` : ` -eq ${index}`)} ${words(values)}`];
    }),
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
