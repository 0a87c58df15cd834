import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { ExitCode } from '../errors.js';
import { isDead, ownProcess, type ProcessName } from '../machine/process-name.js';
import { RunFileError } from './error.js';
import { isAbsence, undefinedIfAbsent } from './presence.js';

interface LockHolder extends ProcessName {
  /** How long the lock counts after it was last renewed. */
  readonly leaseSeconds: number;
}

/**
 * A file that says which process has a run directory. Its holder shows that it goes on by writing it again; the file's
 * time of change counts, which one clock sets for everybody who shares the file system.
 */
export class RunLock {
  private released = false;

  /**
   * @param file stays open: it is this lock whatever happens at the path, and renewing it touches no successor's
   */
  constructor(
    private readonly path: string,
    private readonly file: number,
    private readonly content: string,
  ) {}

  /** Whether no other process has taken the directory. */
  isHeld(): boolean {
    if (this.released) return false;
    try {
      const [own, there] = [fstatSync(this.file), statSync(this.path)];
      return own.ino === there.ino && own.dev === there.dev;
    } catch (error) {
      if (isAbsence(error)) return false;
      throw error;
    }
  }

  /** Makes the lease last from now on; false when another process has taken the directory. */
  renew(): boolean {
    if (!this.isHeld()) return false;
    writeSync(this.file, this.content, 0);
    return true;
  }

  /** Gives the directory back; harmless when called again. */
  release(): void {
    if (this.released) return;
    try {
      if (this.isHeld()) rmSync(this.path, { force: true });
    } finally {
      this.released = true;
      closeSync(this.file);
    }
  }
}

/**
 * Takes the lock file at `path`. The lock of a process that is known to live no longer is taken over, and any that
 * was not renewed for as long as its holder said.
 *
 * @param leaseSeconds how long the lock counts after it was last renewed
 * @throws RunFileError RUN_LOCKED, naming the holder
 */
export function acquireLock(path: string, directory: string, leaseSeconds: number): RunLock {
  const own = JSON.stringify({ ...ownProcess(), leaseSeconds } satisfies LockHolder);
  for (let attempt = 0; attempt < 10; attempt++) {
    const { lock, nowMs } = create(path, own);
    if (lock !== undefined) return lock;
    const found = read(path);
    if (found === undefined) {
      continue; // released in this moment
    }
    const { content, renewedMs } = found;
    const ageSeconds = (nowMs - renewedMs) / 1000;
    const holder = parseHolder(content);
    const lease = holder?.leaseSeconds ?? leaseSeconds;
    if (ageSeconds <= lease && (holder === undefined || !isDead(holder))) {
      // The clock was set back since. Whether its holder goes on shows when the lease has run from now on.
      if (ageSeconds < -lease) restartLease(path);
      throw lockedError(path, directory, holder);
    }
    removeStale(path, content);
  }
  throw lockedError(path, directory, undefined);
}

/** Whether a process that goes on, as far as can be told from here, has the lock file at `path`. */
export function isLocked(path: string): boolean {
  const found = read(path);
  if (found === undefined) return false;
  const holder = parseHolder(found.content);
  if (holder === undefined) return true;
  return !isDead(holder) && Date.now() - found.renewedMs <= 1000 * holder.leaseSeconds;
}

/**
 * Creates the file with its whole content at once, which writing it in place would not.
 * @returns the lock, unless there is one; and the time by the file system's clock
 */
function create(path: string, content: string): { lock: RunLock | undefined; nowMs: number } {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = openSync(temporary, 'w');
  let lock: RunLock | undefined;
  try {
    writeSync(file, content);
    linkSync(temporary, path);
    lock = new RunLock(path, file, content);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  } finally {
    rmSync(temporary, { force: true });
  }
  const nowMs = fstatSync(file).mtimeMs;
  if (lock === undefined) closeSync(file);
  return { lock, nowMs };
}

/** Moves the lock away before looking at it again, so that of two processes only one removes it. */
function removeStale(path: string, expected: string): void {
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isAbsence(error)) return; // another process was first
    throw error;
  }
  if (read(aside)?.content !== expected) {
    // The other process was first and has taken the lock already: give its file back.
    linkSync(aside, path);
  }
  rmSync(aside, { force: true });
}

/**
 * Has the file's time of change begin anew, by its own clock: the holder's content stays. Where it cannot be written,
 * or was released in this moment, nothing changes.
 */
function restartLease(path: string): void {
  let file: number | undefined;
  try {
    file = openSync(path, 'r+');
    writeSync(file, readFileSync(file, 'utf8'), 0);
  } catch {
    // The refusal names the file.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function read(path: string): { content: string; renewedMs: number } | undefined {
  try {
    return { content: readFileSync(path, 'utf8'), renewedMs: statSync(path).mtimeMs };
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

function parseHolder(content: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(content) as LockHolder;
    return Number.isSafeInteger(holder.pid) && typeof holder.host === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}

function lockedError(path: string, directory: string, holder: LockHolder | undefined): RunFileError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
  return new RunFileError(
    'RUN_LOCKED',
    `${directory} is in use by ${who}; if that is no longer so, remove ${path}`,
    ExitCode.cannotCreate,
  );
}
