import { dirname } from 'node:path';
import { disk } from '../disk/disk.js';
import { pathsFileOf } from '../formats/paths-file.js';
import { syncDirectorySync } from '../run/atomic-file.js';
import { codeFilePieces } from './code-file.js';
import type { CodeFormat } from './code-format.js';
import { EncodingError } from './error.js';

/**
 * Writes codes, and the paths of their pictures beside them unless the format has them. Each file is complete from the
 * moment it has its name.
 * @param codes `[paths, bytesPerCode(bits)]`
 * @returns the files, that of the codes first
 * @throws EncodingError ENCODING_OUTPUT_UNUSABLE
 */
export async function writeCodes(
  file: string,
  format: CodeFormat,
  codes: Uint8Array,
  bits: number,
  paths: readonly string[],
): Promise<string[]> {
  const files = [file];
  if (format !== 'csv') {
    const pathsFile = pathsFileOf(file);
    files.push(pathsFile);
    await writeWhole(pathsFile, [Buffer.from(paths.map((path) => `${path}\n`).join(''))]);
  }
  await writeWhole(file, codeFilePieces(format, codes, bits, paths));
  return files;
}

async function writeWhole(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await disk.open(temporary, 'w');
    try {
      for (const piece of pieces) await file.append(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(temporary, path);
    syncDirectorySync(dirname(path));
  } catch (cause) {
    await disk.remove(temporary).catch(() => {});
    throw new EncodingError(
      'ENCODING_OUTPUT_UNUSABLE',
      `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? cause}); what was encoded is kept, and the same command writes it again`,
      { cause },
    );
  }
}
