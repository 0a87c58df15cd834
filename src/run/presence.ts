import { readdirSync, statSync } from 'node:fs';
import { disk } from '../disk/disk.js';

/** Whether an error says that a path does not exist, not that it cannot be read. */
export function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** For a failed file operation: undefined when its path does not exist. Throws any other error. */
export function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsence(error)) throw error;
}

/**
 * Whether the path exists, with links followed. Throws the system's error when that cannot be determined: a folder
 * without search permission, a cycle of links, a disk failure.
 */
export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

/** Whether the path is known not to exist. One that cannot be looked at may exist. */
export function isAbsent(path: string): Promise<boolean> {
  return disk.stat(path).then(() => false, isAbsence);
}

/** The names in a folder; none when it does not exist. Throws the system's error when it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
