import { basename, relative } from 'node:path';

/** Commands that go on where they were, and have no --resume. */
const resumeByThemselves = ['start', 'table', 'ablate', 'tune'];

/** Builds command lines that a user can type in the same folder, from this process's own command line. */
export class OwnCommand {
  private readonly script: string;
  private readonly command: string;
  private readonly args: readonly string[];

  /** @param argv as in `process.argv`: node, script, command, arguments */
  constructor(
    private readonly argv: readonly string[] = process.argv,
    private readonly environment: NodeJS.ProcessEnv = process.env,
    private readonly folder: string = process.cwd(),
  ) {
    const [, script, command, ...args] = argv as [string, string, string, ...string[]];
    this.script = script;
    this.command = command;
    this.args = args;
  }

  /** Resumes what this process does. */
  resume(): string {
    const resumes = resumeByThemselves.includes(this.command) || this.args.some(isResume);
    return this.line([...this.args, ...(resumes ? [] : ['--resume=auto'])]);
  }

  /** Starts another run with these settings changed. */
  again(settings: readonly string[]): string {
    const args = this.args.filter((each) => !isResume(each));
    return this.line([...args, ...settings.flatMap((setting) => ['--set', setting])]);
  }

  /** Another command of the program. */
  sibling(words: readonly string[]): string {
    return shellLine([...this.program(), ...words]);
  }

  private line(args: readonly string[]): string {
    return this.isNpmStart
      ? shellLine(['npm', 'start', ...(args.length > 0 ? ['--', ...args] : [])])
      : this.sibling([this.command, ...args]);
  }

  private get isNpmStart(): boolean {
    return basename(this.script) === 'start.mjs';
  }

  private program(): string[] {
    const isNpx = this.environment.npm_lifecycle_event === 'npx';
    if (this.isNpmStart) return ['npx', 'fcaenet'];
    if (basename(this.script) === 'fcaenet') return isNpx ? ['npx', 'fcaenet'] : ['fcaenet'];
    const near = relative(this.folder, this.script);
    return [basename(this.argv[0]!), near.startsWith('..') ? this.script : near];
  }
}

function isResume(argument: string): boolean {
  return argument === '--resume' || argument === '--resume=auto';
}

/** Quotes words for a POSIX shell. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}
