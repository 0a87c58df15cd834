import { join } from 'node:path';
import { withConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { ExitCode } from '../errors.js';
import { ExportError } from './error.js';
import { exportedFiles } from './export-run.js';
import type { ExportFormat } from './formats.js';
import { missingFiles, writeFiles } from './write.js';

export interface ExportOptions {
  /** `runs/NAME` */
  readonly runDirectory: string;
  readonly formats: readonly ExportFormat[];
  /** The folder for the files; undefined is `export` in the run's directory. */
  readonly output: string | undefined;
  /** `last`, `best` or a checkpoint's name */
  readonly checkpoint: string;
  /** Replaces files that exist. */
  readonly overwrite: boolean;
}

/** `fcaenet export`. Throws the errors of `exportedFiles` and `writeFiles`. */
export async function exportRun(options: ExportOptions): Promise<void> {
  const { runDirectory, formats, checkpoint, overwrite } = options;
  const folder = options.output ?? join(runDirectory, 'export');
  const leave = new AbortController();
  const restoreSignals = onInterrupt(() =>
    leave.abort(
      new ExportError(
        'EXPORT_INTERRUPTED',
        `the export to ${folder} was interrupted; only complete files are there`,
        {
          exitCode: ExitCode.interrupted,
        },
      ),
    ),
  );
  try {
    await withConsole('result', async (console) => {
      const { run, files } = await exportedFiles(runDirectory, formats, checkpoint);
      for (const { name, reason } of run.rejected)
        console.log.warn('checkpoint cannot be used', { name, reason });
      const names = files.map(({ name }) => name);
      const missing = overwrite ? files : await missingFiles(folder, files);
      const total = missing.flatMap(({ pieces }) => pieces).reduce((sum, piece) => sum + piece.length, 0);
      const task = console.startTask({ name: 'writing', total: megabytes(total), unit: 'MB' });
      let done = 0;
      await writeFiles(folder, missing, leave.signal, (bytes) => {
        done += bytes;
        task.update(megabytes(done));
      });
      task.finish();
      console.log.info('exported', {
        run: run.name,
        checkpoint: run.checkpoint,
        step: run.step,
        folder,
        files: names,
        writtenBytes: total,
      });
    });
  } finally {
    restoreSignals();
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
