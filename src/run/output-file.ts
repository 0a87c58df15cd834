import path from 'node:path';
import { disk } from '../disk/disk.js';
import { writeFileAtomic } from './atomic-file.js';

/**
 * Why a file cannot be written, as far as its path and its folder show it; null when nothing is wrong with them. For
 * commands that work for minutes before they write.
 */
export async function outputRefusal(file: string): Promise<string | null> {
  const folder = path.dirname(path.resolve(file));
  const [inside, itself] = await Promise.all(
    [folder, file].map((each) => disk.stat(each).catch((error: NodeJS.ErrnoException) => error)),
  );
  if (itself && !(itself instanceof Error) && itself.isDirectory()) {
    return `${file} is a folder, but must be the name of a file`;
  }
  if (inside instanceof Error || !inside?.isDirectory()) {
    return `${file} cannot be written: ${folder} is not a folder that exists`;
  }
  return null;
}

/**
 * Writes a file as {@link writeFileAtomic} does.
 * @throws the error that `fail` makes of the sentence that says why it cannot be written
 */
export function writeOutput(
  file: string,
  content: string,
  fail: (sentence: string, cause: unknown) => Error,
): void {
  try {
    writeFileAtomic(file, content);
  } catch (cause) {
    throw fail(
      `${file} cannot be written (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`,
      cause,
    );
  }
}
