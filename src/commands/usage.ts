import type { CommanderError } from 'commander';
import { ExitCode, FcaenetError } from '../errors.js';

/** The command line is wrong: `USAGE`. */
export class UsageError extends FcaenetError {
  override readonly name = 'UsageError';

  constructor(message: string, options?: { cause?: unknown }) {
    super('USAGE', message, ExitCode.usage, options);
  }

  /**
   * The parser's complaint as one sentence; undefined after help or version, which were asked for.
   * @param instead a better suggestion than the parser's, if there is one
   */
  static from(error: CommanderError, instead?: string): UsageError | undefined {
    if (error.exitCode === 0) {
      return undefined;
    }
    if (error.code === 'commander.help') {
      return new UsageError('no command is given; --help lists them', { cause: error });
    }
    const text = error.message
      .replace(/^error: /, '')
      .replace("'--resume-auto'", "'--resume=auto'")
      .replace(/\s*\n\(Did you mean (.*)\?\)$/s, instead === undefined ? '; did you mean $1?' : '')
      .replace(/'([^']{80})[^']+'/gu, "'$1…'")
      .replace(/[.\s]*$/, '');
    const help = instead === undefined ? '--help lists commands and options' : `did you mean ${instead}?`;
    const ending = text.endsWith('?') ? '' : `; ${help}`;
    return new UsageError(`${text}${ending}`, { cause: error });
  }
}
