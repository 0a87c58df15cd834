import { basename, relative } from 'node:path';

/**
 * The command line that goes on with the run of this process, as it is typed in the same folder.
 * @param argv as in `process.argv`: node, script, command, arguments
 */
export function resumeCommand(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  folder: string,
): string {
  const [node, script, command, ...rest] = argv as [string, string, string, ...string[]];
  // `start` goes on by itself and knows no --resume.
  if (basename(script) === 'start.mjs')
    return shellLine(['npm', 'start', ...(rest.length > 0 ? ['--', ...rest] : [])]);
  const resumes = command === 'start' || rest.some((each) => each === '--resume' || each === '--resume=auto');
  const program = calledProgram(node, script, environment, folder);
  return shellLine([...program, command, ...rest, ...(resumes ? [] : ['--resume=auto'])]);
}

function calledProgram(
  node: string,
  script: string,
  environment: NodeJS.ProcessEnv,
  folder: string,
): string[] {
  if (basename(script) === 'fcaenet') {
    return environment.npm_lifecycle_event === 'npx' ? ['npx', 'fcaenet'] : ['fcaenet'];
  }
  const near = relative(folder, script);
  return [basename(node), near.startsWith('..') ? script : near];
}

/** Words as a POSIX shell reads them back. */
function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
