import { ExitCode, FcaenetError } from '../errors.js';
import type { LineSink } from './log.js';

/** What a command was asked for did not reach whoever asked: `OUTPUT_LOST`. */
export class OutputError extends FcaenetError {
  override readonly name = 'OutputError';

  constructor(cause: NodeJS.ErrnoException) {
    super('OUTPUT_LOST', `standard output takes no more (${reasonOf(cause)})`, ExitCode.inputOutput, {
      cause,
    });
  }
}

/**
 * Writes what a command was asked for to standard output. A reader that wants no more (`| head`) is no error.
 * @throws OutputError OUTPUT_LOST
 */
export function print(text: string, stream: NodeJS.WritableStream = process.stdout): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (isFailure(error) ? reject(new OutputError(error)) : resolve()));
  });
}

/**
 * The lines of a log that is not what a command was asked for: it is done without those that cannot be written. The
 * first is announced on the other stream, all are counted, and each is tried, as a disk may have room again.
 */
export class LossyOutput implements LineSink {
  /** Lines that were not written so far. */
  lostLines = 0;
  private announced = false;
  private torn = false;

  constructor(
    private readonly stream: NodeJS.WritableStream,
    private readonly announce: (sentence: string) => void = (sentence) => void process.stderr.write(sentence),
  ) {}

  write(text: string): void {
    // A disk that is nearly full takes the first part of a line.
    const line = this.torn ? `\n${text}` : text;
    this.torn = false;
    this.stream.write(line, (error) => {
      if (!error) return;
      this.lostLines++;
      this.torn = true;
      if (this.announced || !isFailure(error)) return;
      this.announced = true;
      this.announce(
        `fcaenet: standard output takes no more (${reasonOf(error)}); the log goes on without lines.\n`,
      );
    });
  }
}

/** The same for a log that is what a command was asked for: the first line that cannot be written ends the process. */
export function strictOutput(stream: NodeJS.WritableStream): LineSink {
  return { write: (text) => void print(text, stream) };
}

function isFailure(error: Error | null | undefined): error is NodeJS.ErrnoException {
  return error != null && (error as NodeJS.ErrnoException).code !== 'EPIPE';
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ENOSPC' ? 'ENOSPC, the disk is full' : (code ?? message);
}
