import { argumentCases, completionHead, quoted, stepCases, valueCases } from './script.js';
import type { CompletedCommand, Values } from './tree.js';

/** The program that bash runs to complete a command line of fcaenet. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  return `${completionHead('source <(fcaenet completion bash)')}
_fcaenet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=() word="" joins="" place="" count=0 i
  COMPREPLY=()
  # bash splits words at = and :, as in --format=onnx.
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD}"; do
    if [[ $joins || $word == [=:]* ]]; then words[\${#words[@]}-1]+=$word; else words+=("$word"); fi
    if [[ $word == [=:]* ]]; then joins=1; else joins=""; fi
  done
  local previous="\${words[\${#words[@]}-1]}"
  if [[ $joins ]]; then previous="\${previous%=}"; fi
  if [[ $current == '=' ]]; then current=""; fi
  for ((i = 1; i < \${#words[@]}; i++)); do
    case "$place \${words[i]}" in
${stepCases(commands).join('\n')}
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

function command(completed: CompletedCommand): string {
  const { path, commands, options } = completed;
  const flags = options.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== null));
  const names = commands.map(({ name }) => name);
  const below = [
    ...(names.length > 0 ? [reply({ kind: 'words', words: names })] : []),
    argumentCases(completed, reply),
  ]
    .filter(Boolean)
    .join(' ');
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
