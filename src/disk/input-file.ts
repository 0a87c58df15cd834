import { closeSync, constants, openSync, readSync, type Stats, statSync } from 'node:fs';

/** Time limit for what another process writes into a pipe. No signal is handled meanwhile. */
const pipeSeconds = 10;
const pollMs = 10;
const firstReadBytes = 1 << 16;

/** Pipes that a shell or a parent process made for this one, as in `--token-file <(command)`. */
const inherited = /^\/(?:dev\/(?:stdin$|fd\/)|proc\/(?:self|\d+)\/fd\/)/;

/** A path that is not a file, or a file that is too large. The message completes a sentence that begins with the path. */
export class InputFileFault extends Error {
  constructor(
    readonly path: string,
    problem: string,
  ) {
    super(problem);
  }
}

/**
 * Reads a small file that a user names, such as a run file, a token or a certificate. It never waits for ever and never
 * reads more than the limit, whatever is at the path. Of pipes, it reads those that a shell or a parent process made.
 * @param largestBytes largest accepted size
 * @param seconds time limit for a pipe
 * @throws InputFileFault, and the errors of the system
 */
export function readInputFile(path: string, largestBytes: number, seconds = pipeSeconds): Buffer {
  const status = statSync(path);
  const isPipe = status.isFIFO() && inherited.test(path);
  // Reading a folder fails with EISDIR, which callers explain.
  if (!status.isFile() && !status.isDirectory() && !isPipe) throw notAFile(path, status);
  if (status.isFile() && status.size > largestBytes) {
    throw new InputFileFault(path, `has ${status.size} bytes, but may have at most ${largestBytes}`);
  }
  // A named pipe that replaces the file in this moment would block the opening without O_NONBLOCK.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = readUpTo(file, largestBytes + 1, seconds);
    if (bytes === null) throw new InputFileFault(path, `is a pipe that was not closed within ${seconds} s`);
    if (bytes.length <= largestBytes) return bytes;
    throw new InputFileFault(path, `has more than ${largestBytes} bytes, the most that are accepted`);
  } finally {
    closeSync(file);
  }
}

/** Why {@link readInputFile} failed, for after the path: "cannot be read (EACCES)". */
export function whyUnread(cause: unknown): string {
  if (cause instanceof InputFileFault) return cause.message;
  return `cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`;
}

/** The fault of a path that is neither a file nor a folder. */
export function notAFile(path: string, status: Stats): InputFileFault {
  const kind = status.isFIFO() ? 'named pipe' : status.isSocket() ? 'socket' : 'device';
  return new InputFileFault(path, `is not a file but a ${kind}`);
}

/** The first `mostBytes` bytes, or all that there are; null when a pipe does not end in time. */
function readUpTo(file: number, mostBytes: number, seconds: number): Buffer | null {
  const deadlineMs = performance.now() + 1000 * seconds;
  const parts: Buffer[] = [];
  for (let total = 0; total < mostBytes; ) {
    const part = Buffer.alloc(Math.min(Math.max(firstReadBytes, total), mostBytes - total));
    const length = readSome(file, part, deadlineMs);
    if (length === null) return null;
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    total += length;
  }
  return Buffer.concat(parts);
}

/** Bytes that were read; 0 at the end; null when there were none in time. */
function readSome(file: number, into: Buffer, deadlineMs: number): number | null {
  for (;;) {
    try {
      return readSync(file, into);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      if (performance.now() >= deadlineMs) return null;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
    }
  }
}
