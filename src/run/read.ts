import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { otherEncoding } from '../disk/encoding.js';
import { readInputFile, whyUnread } from '../disk/input-file.js';
import { ExitCode, quote, shorten } from '../errors.js';
import { checkWrittenRun } from './check.js';
import { RunFileError } from './error.js';
import { applyOverrides } from './overrides.js';
import { repeatedName } from './repeated-name.js';
import { resolveTrainingRun } from './resolve.js';
import type { TrainingRun } from './training-run.js';

const largestFileBytes = 1024 * 1024;

/**
 * Reads, checks and resolves a run file. The file overrides the preset's defaults, and `overrides` (`--set` options, in
 * order) override the file.
 * @throws RunFileError
 */
export function readTrainingRun(path: string, overrides: readonly string[] = []): TrainingRun {
  return readTrainingRuns(path)(overrides);
}

/** As {@link readTrainingRun}, from the file's text; `path` is named in errors. */
export function parseTrainingRun(text: string, path: string, overrides: readonly string[] = []): TrainingRun {
  return parseTrainingRuns(text, path)(overrides);
}

/** A run file that is read once, and resolved with different overrides. */
export type RunFile = (overrides: readonly string[]) => TrainingRun;

/** Reads a run file for several runs. Throws what {@link readTrainingRun} throws, and so does its result. */
export function readTrainingRuns(path: string): RunFile {
  return parseTrainingRuns(readText(path), path);
}

/** As {@link readTrainingRuns}, from the file's text; `path` is named in errors. */
export function parseTrainingRuns(text: string, path: string): RunFile {
  const written = parseYaml(text, path);
  return (overrides) => {
    try {
      return resolveTrainingRun(checkWrittenRun(applyOverrides(written, overrides)));
    } catch (error) {
      if (error instanceof RunFileError && error.code.startsWith('RUN_FIELD_')) {
        throw new RunFileError(error.code as `RUN_${string}`, `${path}: ${error.message}`, error.exitCode, {
          cause: error,
        });
      }
      throw error;
    }
  };
}

function parseYaml(text: string, path: string): unknown {
  try {
    // Warnings are for programmers: a list or mapping as a name is refused as any unknown name is.
    const lineCounter = new LineCounter();
    const document = parseDocument(text, { logLevel: 'error', uniqueKeys: false, lineCounter });
    const problem = document.errors[0];
    if (problem?.code === 'MULTIPLE_DOCS') {
      throw new RunFileError(
        'RUN_FILE_SYNTAX',
        `${path} contains several YAML documents, separated by ---, but a run file contains one`,
      );
    }
    if (problem !== undefined) {
      throw problem;
    }
    const repeated = repeatedName(document);
    if (repeated !== null) {
      const { line, col } = lineCounter.linePos(repeated.offset);
      throw new RunFileError(
        'RUN_FILE_SYNTAX',
        `${path} has the name ${quote(String(repeated.name))} twice in one mapping, the second time at line ${line}, column ${col}`,
      );
    }
    return document.toJS();
  } catch (cause) {
    if (cause instanceof RunFileError) {
      throw cause;
    }
    const reason =
      cause instanceof Error ? cause.message.split('\n')[0]!.replace(/[.:]$/, '') : String(cause);
    throw new RunFileError(
      'RUN_FILE_SYNTAX',
      `${path} is not valid YAML: ${shorten(reason, 200)}`,
      ExitCode.badConfiguration,
      {
        cause,
      },
    );
  }
}

function readText(path: string): string {
  try {
    return decoded(readInputFile(path, largestFileBytes), path);
  } catch (cause) {
    if (cause instanceof RunFileError) {
      throw cause;
    }
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const meant = [`${path}.yaml`, `${path}.yml`].find(isFile);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      throw new RunFileError(
        'RUN_FILE_MISSING',
        `there is no run file ${path}${hint}`,
        ExitCode.missingInput,
        { cause },
      );
    }
    const inside = join(path, 'run.yaml');
    const hint = code === 'EISDIR' && isFile(inside) ? `; did you mean ${inside}?` : '';
    throw new RunFileError(
      'RUN_FILE_UNREADABLE',
      `the run file ${path} ${whyUnread(cause)}${hint}`,
      ExitCode.missingInput,
      { cause },
    );
  }
}

function decoded(bytes: Buffer, path: string): string {
  const encoding = otherEncoding(bytes);
  if (encoding === undefined) return bytes.toString('utf8');
  throw new RunFileError(
    'RUN_FILE_SYNTAX',
    `the run file ${path} is ${encoding} but must be UTF-8: save it as UTF-8`,
  );
}

/** Whether a file exists, to suggest it. An unreadable one is not suggested. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
