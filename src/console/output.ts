import { ExitCode, FcaenetError } from '../errors.js';
import type { LineSink } from './log.js';

/** The result of a command could not be written: `OUTPUT_LOST`. */
class OutputError extends FcaenetError {
  override readonly name = 'OutputError';

  constructor(cause: NodeJS.ErrnoException) {
    super('OUTPUT_LOST', `cannot write to standard output (${reasonOf(cause)})`, ExitCode.inputOutput, {
      cause,
    });
  }
}

/**
 * Writes a command's result to standard output. A reader that closes the pipe (`| head`) is not an error.
 * @throws OutputError OUTPUT_LOST
 */
export function print(text: string, stream: NodeJS.WritableStream = process.stdout): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (isFailure(error) ? reject(new OutputError(error)) : resolve()));
  });
}

/**
 * Log lines that may be lost. The first lost line is reported on the other stream, all lost lines are counted, and
 * every line is tried, because a full disk may have space again.
 */
export class LossyOutput implements LineSink {
  /** Number of lost lines so far. */
  lostLines = 0;
  private announced = false;
  private torn = false;

  constructor(
    private readonly stream: NodeJS.WritableStream,
    private readonly announce: (sentence: string) => void = (sentence) => void process.stderr.write(sentence),
  ) {}

  write(text: string): void {
    // A nearly full disk may accept the first part of a line.
    const line = this.torn ? `\n${text}` : text;
    this.torn = false;
    this.stream.write(line, (error) => {
      if (!error) return;
      this.lostLines++;
      this.torn = true;
      if (this.announced || !isFailure(error)) return;
      this.announced = true;
      this.announce(
        `fcaenet: cannot write to standard output (${reasonOf(error)}); log lines are lost, the command continues.\n`,
      );
    });
  }
}

/** The same for a log that is the command's result: the first line that cannot be written ends the process. */
export function strictOutput(stream: NodeJS.WritableStream): LineSink {
  return { write: (text) => void print(text, stream) };
}

function isFailure(error: Error | null | undefined): error is NodeJS.ErrnoException {
  return error != null && (error as NodeJS.ErrnoException).code !== 'EPIPE';
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ENOSPC' ? 'ENOSPC, the disk is full' : (code ?? message);
}
