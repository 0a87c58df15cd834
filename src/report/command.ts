import path from 'node:path';
import { type Console, withConsole } from '../console/console.js';
import { onInterrupt } from '../console/interrupt.js';
import { Interruption } from '../coordinator/interruption.js';
import { outputRefusal, writeOutput } from '../run/output-file.js';
import { ReportError } from './error.js';
import { reportPage } from './page/report-page.js';
import { showPictures } from './pictures/shown-pictures.js';
import { readRunMaterial } from './reading/material.js';
import { type MeasuredRun, measureRun } from './reading/measured-run.js';

/** A report can be sent by mail. */
const largestReportBytes = 10_000_000;

export interface ReportOptions {
  /** Directories of one to four runs. */
  readonly runDirectories: readonly string[];
  /** Undefined writes `report-NAME.html` in the current folder. */
  readonly output: string | undefined;
  /** The dataset's folder; undefined takes that of each run. */
  readonly data: string | undefined;
}

/** `fcaenet report`: writes the report of some runs. Throws the errors of `makeReport`. */
export async function report(options: ReportOptions): Promise<void> {
  await withConsole('result', async (console) => {
    const { file, bytes } = await makeReport(options, console);
    console.log.info('report written', { file, bytes });
  });
}

/**
 * Reads runs, ranks their codes, draws what there is to see, and writes one HTML file. Changes nothing in the runs.
 * @param mostBytes largest accepted report
 * @throws ReportError; the errors of reading a run
 */
export async function makeReport(
  { runDirectories, output, data }: ReportOptions,
  console: Console,
  mostBytes = largestReportBytes,
): Promise<{ readonly file: string; readonly bytes: number }> {
  const names = namesOf(runDirectories);
  const file = output ?? `report-${names.map((name) => path.basename(name)).join('-')}.html`;
  const refusal = await outputRefusal(file);
  if (refusal !== null) throw new ReportError('REPORT_NOT_WRITTEN', refusal);
  const interruption = new Interruption();
  const restoreSignals = onInterrupt(() =>
    interruption.interrupt(
      new ReportError('REPORT_INTERRUPTED', 'the report was interrupted; nothing was written'),
    ),
  );
  const { signal } = interruption;
  try {
    const runs: MeasuredRun[] = [];
    for (const [index, directory] of runDirectories.entries()) {
      console.log.info('reading', { run: directory });
      const material = await readRunMaterial(directory, data, console, signal);
      signal.throwIfAborted();
      runs.push(await measureRun({ ...material, name: names[index]! }, signal));
    }
    const page = reportPage(runs, await showPictures(runs, console, signal));
    signal.throwIfAborted();
    const bytes = Buffer.byteLength(page);
    if (bytes > mostBytes) {
      throw new ReportError(
        'REPORT_TOO_LARGE',
        `the report has ${bytes} bytes, but may have at most ${mostBytes}; report on fewer runs`,
      );
    }
    writeOutput(file, page, (sentence, cause) => new ReportError('REPORT_NOT_WRITTEN', sentence, { cause }));
    return { file, bytes };
  } finally {
    restoreSignals();
  }
}

/** Names of runs: their folders' names where these differ, else their paths. */
function namesOf(directories: readonly string[]): string[] {
  const names = directories.map((directory) => path.basename(path.resolve(directory)));
  return new Set(names).size === names.length ? names : [...directories];
}
