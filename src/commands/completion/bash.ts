import { completionHead, quoted, stepCases, valueCases } from './script.js';
import type { CompletedCommand, Values } from './tree.js';

/** The program that bash runs to complete a command line of fcaenet. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  return `${completionHead('source <(fcaenet completion bash)')}
_fcaenet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" place="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
${commands.flatMap(stepCases).join('\n')}
    esac
  done
  case "$place $previous" in
${commands.flatMap((each) => valueCases(each, reply)).join('\n')}
  esac
  case "$place" in
${commands.map(command).join('\n')}
  esac
}
complete -F _fcaenet fcaenet
`;
}

function command({ path, commands, options, argument }: CompletedCommand): string {
  const flags = options.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== null));
  const names = commands.map(({ name }) => name);
  const below = [
    ...(names.length > 0 ? [reply({ kind: 'words', words: names })] : []),
    ...(argument ? [reply(argument)] : []),
  ].join(' ');
  return `    ${quoted(path.join(' '))})
      if [[ $current == -* ]]; then ${reply({ kind: 'words', words: flags })}
      else ${below || ':'}
      fi ;;`;
}

/** Adds the values that begin like the current word. */
function reply(values: Values): string {
  switch (values.kind) {
    case 'words': {
      const ends = values.words.some((word) => word.endsWith('=')) ? ' compopt -o nospace;' : '';
      return `COMPREPLY+=($(compgen -W ${quoted(values.words.join(' '))} -- "$current"));${ends}`;
    }
    case 'file':
      return paths('-f');
    case 'folder':
      return paths('-d');
    case 'text':
      return ':;';
  }
}

/** Paths may have blanks, so each line is one. */
function paths(kind: '-f' | '-d'): string {
  return `compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen ${kind} -- "$current");`;
}
