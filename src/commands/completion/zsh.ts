import { argumentCases, completionHead, firstSentence, quoted, stepCases, valueCases } from './script.js';
import type { CompletedCommand, Values } from './tree.js';

/** The program that zsh runs to complete a command line of fcaenet. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef fcaenet
${completionHead('source <(fcaenet completion zsh), after compinit')}
_fcaenet() {
  local place="" count=0 i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    case "$place $words[i]" in
${stepCases(commands).join('\n')}
    esac
  done
  case "$place $words[CURRENT-1]" in
${commands.flatMap((each) => valueCases(each, add)).join('\n')}
  esac
  case "$place" in
${commands.map(command).join('\n')}
  esac
}
# A file of $fpath is loaded when the first word is completed, and must complete it.
if [[ $funcstack[1] == _fcaenet ]]; then _fcaenet; else compdef _fcaenet fcaenet; fi
`;
}

function command(completed: CompletedCommand): string {
  const { path, commands, options } = completed;
  const flags = options.flatMap(({ long, short, description }) =>
    [long, short].filter((flag) => flag !== null).map((flag) => ({ name: flag, description })),
  );
  const below = [...(commands.length > 0 ? [described(commands)] : []), argumentCases(completed, add)]
    .filter(Boolean)
    .join(' ');
  return `    ${quoted(path.join(' '))})
      if [[ $words[CURRENT] == -* ]]; then ${described(flags)}
      else ${below || ':'}
      fi ;;`;
}

/** Adds words with what they mean. */
function described(entries: readonly { readonly name: string; readonly description: string }[]): string {
  const texts = entries.map(({ name, description }) =>
    quoted(`${name.replaceAll(':', '\\:')}:${firstSentence(description)}`),
  );
  return `entries=(${texts.join(' ')}); _describe fcaenet entries;`;
}

function add(values: Values): string {
  switch (values.kind) {
    case 'words': {
      const ends = values.words.some((word) => word.endsWith('=')) ? '-S "" ' : '';
      return `compadd ${ends}-- ${values.words.map(quoted).join(' ')};`;
    }
    case 'file':
      return '_files;';
    case 'folder':
      return '_files -/;';
    case 'text':
      return ':;';
  }
}
