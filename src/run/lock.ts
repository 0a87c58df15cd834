import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ExitCode } from '../errors.js';
import { RunFileError } from './error.js';

interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** When the process was started, in clock ticks since boot; null where the system does not tell. */
  readonly processStart: string | null;
}

/** A file that says which process has a run directory. */
export interface RunLock {
  /** Gives the directory back; harmless when called again. */
  release(): void;
}

/**
 * Takes the lock file at `path`. The lock of a process of this host that no longer lives is taken over.
 *
 * @throws RunFileError RUN_LOCKED, naming the holder
 */
export function acquireLock(path: string, directory: string): RunLock {
  const own = JSON.stringify(ownHolder());
  for (let attempt = 0; attempt < 10; attempt++) {
    if (create(path, own)) {
      return { release: () => releaseIfOwn(path, own) };
    }
    const found = read(path);
    if (found === undefined) {
      continue; // released in this moment
    }
    const holder = parseHolder(found);
    if (holder === undefined || holder.host !== hostname() || lives(holder)) {
      throw lockedError(path, directory, holder);
    }
    removeStale(path, found);
  }
  throw lockedError(path, directory, undefined);
}

/** Whether a process that lives, as far as can be told from here, has the lock file at `path`. */
export function isLocked(path: string): boolean {
  const found = read(path);
  const holder = found === undefined ? undefined : parseHolder(found);
  return found !== undefined && (holder === undefined || holder.host !== hostname() || lives(holder));
}

/** Creates the file with its whole content at once, which writing it in place would not. */
function create(path: string, content: string): boolean {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Moves the lock away before looking at it again, so that of two processes only one removes it. */
function removeStale(path: string, expected: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another process was first
  }
  if (read(aside) !== expected) {
    // The other process was first and has taken the lock already: give its file back.
    linkSync(aside, path);
  }
  rmSync(aside, { force: true });
}

function releaseIfOwn(path: string, own: string): void {
  if (read(path) === own) {
    rmSync(path, { force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
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

function ownHolder(): LockHolder {
  return { pid: process.pid, host: hostname(), processStart: processStart(process.pid) };
}

function lives(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  // The same number may be another process by now.
  return holder.processStart === null || processStart(holder.pid) === holder.processStart;
}

function processStart(pid: number): string | null {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22; the second field is the name in parentheses and may hold blanks.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
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
