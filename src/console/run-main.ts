import { ExitCode, FcaenetError, printable } from '../errors.js';
import { addressSpaceError } from '../machine/address-space.js';
import { jsonIsAsked } from './form.js';
import { receiveSignals } from './interrupt.js';

/** Time that open handles may keep a finished process alive. */
const lingerMs = 2_000;

/** File system errors that stay until somebody changes the path: running again cannot help. */
const lastingFileErrors = ['EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'EISDIR', 'ENOTDIR', 'EROFS'];

/**
 * Runs a program. Turns every failure into one sentence on stderr and an exit code. A stack trace is only printed for
 * unexpected errors when FCAENET_DEBUG=1.
 * @param main returns the exit code, or nothing for 0
 */
export function runMain(main: () => Promise<number | undefined>): void {
  receiveSignals();
  // The writer of a stream handles each failure: a lost log line is harmless, a lost result is not.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  let isOver = false;
  // Node ends a process with exit code 0 when nothing is left that it could wait for, although work waits for something.
  process.on('beforeExit', () => {
    if (!isOver) end(new Error('nothing is left to wait for, but the work is not over'));
  });
  main().then((code) => {
    isOver = true;
    process.exitCode = code ?? ExitCode.finished;
    // This timer keeps nothing alive. It ends a process that a silent peer's connection would keep for minutes.
    setTimeout(() => process.exit(), lingerMs).unref();
  }, end);
}

/** The message and exit code of an error. */
export function describeEnd(
  error: unknown,
  debug = process.env.FCAENET_DEBUG === '1',
): { text: string; exitCode: number } {
  if (error instanceof FcaenetError) {
    return { text: `fcaenet: ${error.message.replace(/[^.?!]$/, '$&.')}\n`, exitCode: error.exitCode };
  }
  const shortage = debug ? null : addressSpaceError(error);
  if (shortage !== null) return describeEnd(shortage);
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
        text: `fcaenet: unexpected error: ${message}; FCAENET_DEBUG=1 shows the stack trace.\n`,
        exitCode: ExitCode.failed,
      };
}

/** The same as a JSON line, with the error's code. */
export function errorLine(error: unknown, text: string, exitCode: number): string {
  const code = error instanceof FcaenetError ? error.code : 'UNEXPECTED';
  const message = text.trim().replace(/^fcaenet: /, '');
  return `${JSON.stringify({ level: 'error', time: new Date().toISOString(), code, exitCode, message })}\n`;
}

let hasEnded = false;

/** The first error is the cause. Later errors are not reported. */
function end(error: unknown): void {
  if (hasEnded) return;
  hasEnded = true;
  const { text: sentence, exitCode } = describeEnd(error);
  const text = jsonIsAsked() ? errorLine(error, sentence, exitCode) : sentence;
  process.exitCode = exitCode;
  // Exit in the callback: a pipe may accept the text later.
  process.stderr.write(text, () => process.exit(exitCode));
}
