import { disk } from '../disk/disk.js';
import { writeWhole } from '../disk/whole-file.js';
import { pathsFileOf } from '../formats/paths-file.js';
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
    await writeFile(pathsFile, [Buffer.from(paths.map((path) => `${path}\n`).join(''))]);
  }
  await writeFile(file, codeFilePieces(format, codes, bits, paths));
  return files;
}

async function writeFile(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  try {
    await writeWhole(disk, path, pieces);
  } catch (cause) {
    throw new EncodingError(
      'ENCODING_OUTPUT_UNUSABLE',
      `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? cause}); what was encoded is kept, and the same command writes it again`,
      { cause },
    );
  }
}
