import { mkdirSync, statSync } from 'node:fs';
import type promises from 'node:fs/promises';
import { dirname } from 'node:path';

// Node's own `recursive` never returns where the system answers ENOENT although the parent folder is there: below /proc,
// and below a working directory that was removed.

/**
 * Creates a folder and its parents.
 * @returns whether it was not there before
 */
export function makeFolderSync(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (!isWithoutParent(error, path)) return isFolder(error, path);
  }
  makeFolderSync(dirname(path));
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    return isFolder(error, path);
  }
}

/**
 * The same with promises.
 * @returns the folders that were not there before, a parent before what is in it
 */
export async function makeFolder(path: string, system: typeof promises): Promise<string[]> {
  const make = () =>
    system.mkdir(path).then(
      () => [path],
      async (error) => {
        const found = await system.stat(path).catch((reason: NodeJS.ErrnoException) => {
          throw reason.code === 'ENOENT' ? error : reason;
        });
        if (!found.isDirectory()) throw inTheWay(path);
        return [];
      },
    );
  try {
    return await make();
  } catch (error) {
    if (!isWithoutParent(error, path)) throw error;
    const parents = await makeFolder(dirname(path), system);
    return [...parents, ...(await make())];
  }
}

function isWithoutParent(error: unknown, path: string): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path;
}

/** False when the folder was there before. Throws `error` when it was not, or why it cannot be looked at. */
function isFolder(error: unknown, path: string): false {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw error;
  if (!found.isDirectory()) throw inTheWay(path);
  return false;
}

/** The system says EEXIST of a file in the place of a folder, and a user would read that the folder is there. */
function inTheWay(path: string): NodeJS.ErrnoException {
  const code = 'ENOTDIR';
  return Object.assign(new Error(`${code}: not a directory, mkdir '${path}'`), { code, path });
}
