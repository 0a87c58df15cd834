import { dirname, join } from 'node:path';
import { disk } from '../disk/disk.js';
import { writeWhole } from '../disk/whole-file.js';
import { ExitCode } from '../errors.js';
import { isAbsence } from '../run/presence.js';
import { ExportError } from './error.js';
import type { ExportedFile } from './files.js';

/** Larger files are not compared with what is there. */
const mostComparedBytes = 2 ** 30;

/**
 * The files of an export that are not there yet. A file that is there with the same content stays.
 * @throws ExportError `EXPORT_EXISTS`, naming the first with other content
 */
export async function missingFiles(folder: string, files: readonly ExportedFile[]): Promise<ExportedFile[]> {
  const missing: ExportedFile[] = [];
  for (const file of files) {
    const path = join(folder, file.name);
    const size = file.pieces.reduce((sum, piece) => sum + piece.length, 0);
    const found = await disk.stat(path).catch((cause) => {
      if (isAbsence(cause)) return null;
      throw unwritable(path, cause);
    });
    if (found === null) {
      missing.push(file);
      continue;
    }
    const { agreesWith = (bytes: Buffer) => bytes.equals(Buffer.concat(file.pieces)) } = file;
    const isComparable = found.isFile() && (file.agreesWith !== undefined || found.size === size);
    if (isComparable && found.size < mostComparedBytes && agreesWith(await disk.readFile(path))) continue;
    throw new ExportError(
      'EXPORT_EXISTS',
      `${path} exists already with other content; add --overwrite to replace it, or choose another folder with --output`,
      { exitCode: ExitCode.cannotCreate },
    );
  }
  return missing;
}

/**
 * Writes the files of an export, and their folders. Each file is complete from the moment it has its name. A folder that
 * was made for files of which none could be written is removed.
 * @param signal stops between two chunks; a file that is not complete is removed
 * @throws ExportError `EXPORT_WRITE`; the signal's reason when aborted
 */
export async function writeFiles(
  folder: string,
  files: readonly ExportedFile[],
  signal: AbortSignal,
  onWritten: (bytes: number) => void = () => {},
): Promise<void> {
  const made: string[] = [];
  for (const { name, pieces } of files) {
    const path = join(folder, name);
    try {
      made.push(...(await disk.makeFolder(dirname(path))));
      await writeWhole(disk, path, pieces, (chunk) => {
        onWritten(chunk.length);
        signal.throwIfAborted();
      });
    } catch (cause) {
      // Those that have files stay.
      for (const folder of made.reverse()) await disk.removeEmptyFolder(folder).catch(() => {});
      signal.throwIfAborted();
      throw unwritable(path, cause);
    }
  }
}

function unwritable(path: string, cause: unknown): ExportError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new ExportError('EXPORT_WRITE', `${path} cannot be written (${code ?? message})`, {
    exitCode: ExitCode.cannotCreate,
    cause,
  });
}
