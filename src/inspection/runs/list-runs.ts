import { join } from 'node:path';
import type { Log } from '../../console/log.js';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import { RunFileError } from '../../run/error.js';
import { RunDirectory } from '../../run/run-directory.js';
import { runName } from '../../run/schema.js';
import { type RunDescription, readRunContent } from './describe-run.js';

/**
 * The runs in a folder, by name. A run directory that cannot be read is a warning.
 * @throws RunFileError RUN_ABSENT when the folder does not exist
 */
export async function listRuns(folder: string, log: Log): Promise<RunDescription[]> {
  const names = await disk.readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new RunFileError(
      'RUN_ABSENT',
      `the folder of runs ${folder} cannot be read (${cause.code})`,
      ExitCode.missingInput,
      { cause },
    );
  });
  const descriptions: RunDescription[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    try {
      if (!RunDirectory.at(path).isRun) continue;
      descriptions.push((await readRunContent(path)).description);
    } catch (error) {
      // Such as lost+found, which only root may read.
      if (!runName.test(name)) continue;
      log.warn('a run cannot be read', {
        path,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return descriptions;
}
