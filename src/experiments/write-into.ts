import { join } from 'node:path';
import { makeFolderSync } from '../disk/folders.js';
import { ExitCode, FcaenetError } from '../errors.js';
import { writeFileAtomic } from '../run/atomic-file.js';
import { ExperimentError } from './error.js';

/** Replaces files in a folder, which is created. Throws what {@link writingInto} throws. */
export function writeInto(output: string, files: Readonly<Record<string, string>>): void {
  writingInto(output, () => {
    for (const [name, content] of Object.entries(files)) writeFileAtomic(join(output, name), content);
  });
}

/**
 * Creates a folder, and writes into it.
 * @throws ExperimentError EXPERIMENT_OUTPUT_UNUSABLE; an error that is a sentence already
 */
export function writingInto(output: string, write: () => void): void {
  try {
    makeFolderSync(output);
    write();
  } catch (cause) {
    if (cause instanceof FcaenetError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new ExperimentError(
      'EXPERIMENT_OUTPUT_UNUSABLE',
      `the folder ${output} cannot be written (${code ?? String(cause)}), but needs room for files and runs; choose another with --output`,
      ExitCode.cannotCreate,
      { cause },
    );
  }
}
