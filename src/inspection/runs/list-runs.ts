import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../console/log.js';
import { disk } from '../../disk/disk.js';
import { ExitCode } from '../../errors.js';
import { RunFileError } from '../../run/error.js';
import { type RunDescription, readRunContent } from './describe-run.js';

/**
 * The runs in a folder, by name. A directory that looks like a run and cannot be read is a warning.
 * @throws RunFileError RUN_ABSENT where there is no such folder
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
    if (!existsSync(join(path, 'run.yaml'))) continue;
    try {
      descriptions.push((await readRunContent(path)).description);
    } catch (error) {
      log.warn('a run cannot be read', {
        path,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return descriptions;
}
