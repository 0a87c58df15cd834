import { dirname, join } from 'node:path';
import * as z from 'zod';
import { checkedResult, type RunResult } from '../coordinator/training/result.js';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { ExitCode } from '../errors.js';
import { parseJson } from '../run/parse-json.js';
import { isThere } from '../run/presence.js';
import { differencesOfSettings, trainingSettings } from '../run/training-hash.js';
import type { Cell } from './cell.js';
import { hasItsDigest, textWithDigest } from './document-digest.js';
import { ExperimentError } from './error.js';
import { writeInto } from './write-into.js';

/** A result has a few kilobytes for each iteration. */
const largestFileBytes = 1 << 26;
const kind = 'fcaenet result';

const schema = z.looseObject({
  kind: z.literal(kind),
  /** The settings that decide the result, by path. */
  settings: z.record(z.string(), z.unknown()),
  result: z.looseObject({ dataset: z.looseObject({}) }),
});

/**
 * The file that keeps the result of a cell apart from its run directory. It has no path of the machine that made it, so
 * that it can go under version control.
 */
export function keptFileOf({ name, run }: Cell): string {
  return join(keptFolderOf(run.spec.operation.runsDirectory), `${name}.json`);
}

/** Keeps the result of a cell, unless one is kept. @throws ExperimentError EXPERIMENT_OUTPUT_UNUSABLE */
export function keepResult(cell: Cell, result: RunResult): void {
  if (isThere(keptFileOf(cell))) return;
  const { path: _, ...dataset } = result.dataset;
  const document = { kind, settings: trainingSettings(cell.run), result: { ...result, dataset } };
  writeInto(keptFolderOf(cell.run.spec.operation.runsDirectory), {
    [`${cell.name}.json`]: textWithDigest(document),
  });
}

/**
 * The kept result of a cell; null when there is none.
 * @throws ExperimentError EXPERIMENT_RESULT_UNREADABLE, EXPERIMENT_RESULT_DAMAGED, EXPERIMENT_RESULT_OTHER; RunFileError RUN_RESULT_DAMAGED
 */
export function readKeptResult(cell: Cell): RunResult | null {
  const file = keptFileOf(cell);
  if (!isThere(file)) return null;
  const remedy = 'delete the file, and the table runs it again';
  const parsed = parseJson(textOf(file));
  const { success, data } = schema.safeParse(parsed);
  if (!success || !hasItsDigest(parsed as object)) {
    throw new ExperimentError(
      'EXPERIMENT_RESULT_DAMAGED',
      `${file} is damaged or was changed: it must be a result as fcaenet table keeps it; ${remedy}`,
      ExitCode.badData,
    );
  }
  const differences = differencesOfSettings(data.settings, trainingSettings(cell.run));
  if (differences.length > 0) {
    throw new ExperimentError(
      'EXPERIMENT_RESULT_OTHER',
      `${file} is of a run with other settings than the table asks for: ${differences.join(', ')}; choose another folder with --output, or ${remedy}`,
    );
  }
  const result = checkedResult(data.result, file, remedy);
  return { ...result, dataset: { ...result.dataset, path: cell.run.spec.dataset.path } };
}

function keptFolderOf(runsDirectory: string): string {
  return join(dirname(runsDirectory), 'results');
}

function textOf(file: string): string {
  try {
    return readInputFile(file, largestFileBytes).toString('utf8');
  } catch (cause) {
    throw new ExperimentError(
      'EXPERIMENT_RESULT_UNREADABLE',
      `${file} ${whyUnread(cause)}, but must be a result as fcaenet table keeps it`,
      ExitCode.missingInput,
      { cause },
    );
  }
}
