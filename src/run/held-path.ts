import { RunFileError } from './error.js';
import { acquireLock } from './lock.js';

const leaseSeconds = 30;

/**
 * Does work whose unfinished files lie at or beside `path`, while no other process of the same path does: a file says which
 * one it is.
 * @param fail makes the error of a sentence that says why the lock cannot be written
 * @param lockFile of a folder that exists
 * @throws RunFileError RUN_LOCKED, naming the other process
 */
export async function whileHeld<Value>(
  path: string,
  fail: (sentence: string, cause: unknown) => Error,
  work: () => Promise<Value>,
  lockFile = `${path}.lock`,
): Promise<Value> {
  const lock = take(path, lockFile, fail);
  const renewal = setInterval(() => {
    try {
      lock.renew();
    } catch {
      // Then the lease ends early. The work itself meets the same disk.
    }
  }, 250 * leaseSeconds);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    lock.release();
  }
}

function take(path: string, lockFile: string, fail: (sentence: string, cause: unknown) => Error) {
  try {
    return acquireLock(lockFile, path, leaseSeconds);
  } catch (cause) {
    if (cause instanceof RunFileError) throw cause;
    throw fail(
      `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`,
      cause,
    );
  }
}
