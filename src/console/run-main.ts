import { ExitCode, FcaenetError, printable } from '../errors.js';
import { receiveSignals } from './interrupt.js';

/** How long whatever is left open may keep a process whose work is done. */
const lingerMs = 2_000;

/** What the file system says of a path as long as nobody changes it: running again cannot help. */
const lastingFileErrors = ['EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'EISDIR', 'ENOTDIR', 'EROFS'];

/**
 * Runs a program and turns whatever ends it into one sentence on stderr and an exit code: never a stack trace,
 * except of unexpected errors when FCAENET_DEBUG=1.
 *
 * @param main returns the exit code, 0 when it returns none
 */
export function runMain(main: () => Promise<number | undefined>): void {
  receiveSignals();
  // Whoever writes is told of each failure, and decides what it means: a log is done without, a result is not.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  main().then((code) => {
    process.exitCode = code ?? ExitCode.finished;
    // Keeps nothing alive itself: it ends what a connection to a peer that fell silent would keep for minutes.
    setTimeout(() => process.exit(), lingerMs).unref();
  }, end);
}

/** What an error tells the user, and the exit code that goes with it. */
export function describeEnd(
  error: unknown,
  debug = process.env.FCAENET_DEBUG === '1',
): { text: string; exitCode: number } {
  if (error instanceof FcaenetError) {
    return { text: `fcaenet: ${error.message.replace(/[^.?!]$/, '$&.')}\n`, exitCode: error.exitCode };
  }
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (!debug && path !== undefined && lastingFileErrors.includes(code!)) {
    return {
      text: `fcaenet: ${printable(path)} cannot be used (${code}).\n`,
      exitCode: ExitCode.inputOutput,
    };
  }
  const stack = error instanceof Error ? error.stack : undefined;
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  const message = printable(line!).replace(/\.$/, '');
  return debug
    ? { text: `fcaenet: unexpected error: ${stack ?? message}\n`, exitCode: ExitCode.failed }
    : {
        text: `fcaenet: unexpected error: ${message}; FCAENET_DEBUG=1 shows where it came from.\n`,
        exitCode: ExitCode.failed,
      };
}

let hasEnded = false;

/** The first error is the cause; what it brings about is not said. */
function end(error: unknown): void {
  if (hasEnded) return;
  hasEnded = true;
  const { text, exitCode } = describeEnd(error);
  process.exitCode = exitCode;
  // Exits in the callback: a pipe may take the text only later.
  process.stderr.write(text, () => process.exit(exitCode));
}
