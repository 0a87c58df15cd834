import type { CommanderError } from 'commander';
import { ExitCode, FcaenetError } from '../errors.js';

/** The command line itself is wrong: `USAGE`. */
export class UsageError extends FcaenetError {
  override readonly name = 'UsageError';

  constructor(message: string, options?: { cause?: unknown }) {
    super('USAGE', message, ExitCode.usage, options);
  }

  /**
   * The parser's complaint as one sentence; undefined where it only showed help or the version, as asked.
   * @param instead what to write in place of what was typed, where that is known better than the parser knows it
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
    const help = instead === undefined ? '--help lists what there is' : `did you mean ${instead}?`;
    const ending = text.endsWith('?') ? '' : `; ${help}`;
    return new UsageError(`${text}${ending}`, { cause: error });
  }
}
