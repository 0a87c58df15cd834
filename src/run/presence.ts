import { readdirSync, statSync } from 'node:fs';

/** Whether an error says that there is nothing at a path, and not that the path cannot be looked at. */
export function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** For a file operation that fails: undefined where there is nothing at its path. Throws any other error. */
export function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsence(error)) throw error;
}

/**
 * Whether something is at the path, at the end of its links. Throws the system's error where that cannot be told: a
 * folder that may not be searched, links in a circle, a disk that fails.
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

/** The names in a folder, none where there is no folder. Throws the system's error where it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
