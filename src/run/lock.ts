import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ExitCode } from '../errors.js';
import { isDead, ownProcess, type ProcessName } from '../machine/process-name.js';
import { RunFileError } from './error.js';
import { isAbsence, undefinedIfAbsent } from './presence.js';

interface LockHolder extends ProcessName {
  /** How long the lock is valid after its last renewal. */
  readonly leaseSeconds: number;
}

/**
 * A file that says which process holds a run directory. The holder renews it by writing it again. The file's
 * modification time counts, because one clock sets it for all users of the file system.
 */
export class RunLock {
  private released = false;
  /** Of the folder that the file is in. */
  private readonly folder: string | null;

  /**
   * @param file stays open: it identifies this lock whatever happens at the path, and renewing it never changes a
   * successor's lock
   */
  constructor(
    private readonly path: string,
    private file: number,
    private readonly content: string,
  ) {
    this.folder = identityOf(dirname(path)) ?? null;
  }

  /** Whether no other process has taken the directory, and the lock file is there. */
  isHeld(): boolean {
    return !this.released && identityOf(this.path) === identityOfStats(fstatSync(this.file));
  }

  /** Whether the folder of the lock was removed or moved, or another one is in its place. */
  get isFolderGone(): boolean {
    return (identityOf(dirname(this.path)) ?? null) !== this.folder;
  }

  /**
   * Takes the lock again after somebody has removed its file.
   * @returns false when the file is there, so that another process may have taken the directory, or its folder is gone
   */
  regain(): boolean {
    if (this.released || this.isFolderGone) return false;
    const { file } = create(this.path, this.content);
    if (file === undefined) return false;
    closeSync(this.file);
    this.file = file;
    return true;
  }

  /** Extends the lease from now on; false when another process has taken the directory. */
  renew(): boolean {
    if (!this.isHeld()) return false;
    writeSync(this.file, this.content, 0);
    return true;
  }

  /** Releases the directory. It may be called again. */
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
 * Creates the lock file at `path`. Takes over the lock of a process that has ended, and a lock that was not renewed
 * within its lease.
 * @param leaseSeconds how long the lock is valid after its last renewal
 * @throws RunFileError RUN_LOCKED, naming the holder
 */
export function acquireLock(path: string, directory: string, leaseSeconds: number): RunLock {
  const own = JSON.stringify({ ...ownProcess(), leaseSeconds } satisfies LockHolder);
  for (let attempt = 0; attempt < 10; attempt++) {
    const { file, nowMs } = create(path, own);
    if (file !== undefined) return new RunLock(path, file, own);
    const found = read(path);
    if (found === undefined) {
      continue; // released in this moment
    }
    const { content, renewedMs } = found;
    const ageSeconds = (nowMs - renewedMs) / 1000;
    const holder = parseHolder(content);
    const lease = holder?.leaseSeconds ?? leaseSeconds;
    if (ageSeconds <= lease && (holder === undefined || !isDead(holder))) {
      // The clock was set back. Start the lease again now, to see whether the holder renews it.
      if (ageSeconds < -lease) restartLease(path);
      throw lockedError(path, directory, holder);
    }
    removeStale(path, content);
  }
  throw lockedError(path, directory, undefined);
}

/** Whether a running process, as far as can be known here, holds the lock file at `path`. */
export function isLocked(path: string): boolean {
  const found = read(path);
  if (found === undefined) return false;
  const holder = parseHolder(found.content);
  if (holder === undefined) return true;
  return !isDead(holder) && Date.now() - found.renewedMs <= 1000 * holder.leaseSeconds;
}

/**
 * Creates the file with its whole content at once, which writing it in place would not.
 * @returns the open file, unless one exists; and the time of the file system's clock
 */
function create(path: string, content: string): { file: number | undefined; nowMs: number } {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = openSync(temporary, 'w');
  let isCreated = false;
  try {
    writeSync(file, content);
    const { mtimeMs: nowMs } = fstatSync(file);
    isCreated = linkIfAbsent(temporary, path);
    return { file: isCreated ? file : undefined, nowMs };
  } finally {
    if (!isCreated) closeSync(file);
    rmSync(temporary, { force: true });
  }
}

/** Gives a file a second name. Returns false when the name is taken. */
function linkIfAbsent(file: string, name: string): boolean {
  try {
    linkSync(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Identifies the file or folder at a path; undefined when there is none. */
function identityOf(path: string): string | undefined {
  try {
    return identityOfStats(statSync(path));
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

function identityOfStats({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** Moves the lock away before checking it again, so that only one of two processes removes it. */
function removeStale(path: string, expected: string): void {
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isAbsence(error)) return; // another process was first
    throw error;
  }
  if (read(aside)?.content !== expected) {
    // Another process was faster and has already taken the lock: put its file back.
    linkSync(aside, path);
  }
  rmSync(aside, { force: true });
}

/**
 * Sets the file's modification time to now by its own clock, without changing the content. A file that is not writable,
 * or was just released, stays as it is.
 */
function restartLease(path: string): void {
  let file: number | undefined;
  try {
    file = openSync(path, 'r+');
    writeSync(file, readFileSync(file, 'utf8'), 0);
  } catch {
    // The error names the file.
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
    `${directory} is in use by ${who}; if that process has ended, remove ${path}`,
    ExitCode.cannotCreate,
  );
}
