import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ExitCode } from '../errors.js';
import { writeFileAtomic } from './atomic-file.js';
import { RunFileError } from './error.js';
import { acquireLock, isLocked, type RunLock } from './lock.js';
import { readTrainingRun } from './read.js';
import { trainingDifferences } from './training-hash.js';
import type { TrainingRun } from './training-run.js';

/** What is wanted of a run directory: a new run, the continuation of one, or whichever fits. */
export type ResumeMode = 'new' | 'resume' | 'auto';

/**
 * `runs/NAME`: `run.yaml` (every setting as decided), `checkpoints/`, `events.jsonl`, `ledger.jsonl`
 * and, at the end, `result.json`. One process at a time holds it.
 */
export class RunDirectory {
  readonly runFile: string;
  readonly resultFile: string;
  readonly eventsFile: string;
  readonly ledgerFile: string;
  readonly checkpoints: string;
  private readonly termFile: string;

  private constructor(
    readonly path: string,
    private readonly lock: RunLock | undefined,
  ) {
    this.runFile = join(path, 'run.yaml');
    this.resultFile = join(path, 'result.json');
    this.eventsFile = join(path, 'events.jsonl');
    this.ledgerFile = join(path, 'ledger.jsonl');
    this.checkpoints = join(path, 'checkpoints');
    this.termFile = join(path, 'term');
  }

  /** The names of the files in `path`, without taking it: for readers of a run. */
  static at(path: string): RunDirectory {
    return new RunDirectory(path, undefined);
  }

  /**
   * Takes the directory of `run`, creating it where needed, and writes its `run.yaml`.
   *
   * @throws RunFileError RUN_EXISTS (a new run over one that has begun), RUN_ABSENT (nothing to resume),
   *   RUN_DIFFERS (the run there has other training settings, which are named), RUN_LOCKED,
   *   RUN_DIRECTORY_UNUSABLE
   */
  static open(run: TrainingRun, mode: ResumeMode): RunDirectory {
    const path = join(run.spec.operation.runsDirectory, run.metadata.name);
    if (mode === 'resume' && !existsSync(join(path, 'run.yaml'))) {
      throw new RunFileError(
        'RUN_ABSENT',
        `there is no run in ${path} to resume; leave out --resume to begin one`,
        ExitCode.missingInput,
      );
    }
    const directory = RunDirectory.take(path);
    try {
      directory.refuseOther(run, mode);
      directory.attempt(() => writeFileAtomic(directory.runFile, stringify(run)));
      return directory;
    } catch (error) {
      directory.release();
      throw error;
    }
  }

  /** Whether the run here has got as far as a checkpoint or a result. */
  get hasBegun(): boolean {
    return (
      existsSync(this.resultFile) ||
      (existsSync(this.checkpoints) && readdirSync(this.checkpoints).length > 0)
    );
  }

  /** Whether a process has the directory at this moment. */
  get isLocked(): boolean {
    return isLocked(join(this.path, 'lock'));
  }

  /**
   * A leadership number higher than any that was given out here before, also to a coordinator that was killed
   * before it wrote anything else.
   */
  nextTerm(): number {
    return this.attempt(() => {
      const last = existsSync(this.termFile) ? Number.parseInt(readFileSync(this.termFile, 'utf8'), 10) : 0;
      const term = (Number.isSafeInteger(last) ? last : 0) + 1;
      writeFileAtomic(this.termFile, `${term}\n`);
      return term;
    });
  }

  /** Replaces `result.json` at once. */
  writeResult(result: unknown): void {
    this.attempt(() => writeFileAtomic(this.resultFile, `${JSON.stringify(result, null, 2)}\n`));
  }

  /** What `writeResult` wrote, or null where there is none. */
  readResult(): unknown {
    return existsSync(this.resultFile)
      ? this.attempt(() => JSON.parse(readFileSync(this.resultFile, 'utf8')))
      : null;
  }

  /** Adds one line to `events.jsonl`. */
  appendEvent(event: Record<string, unknown>): void {
    this.attempt(() => appendFileSync(this.eventsFile, `${JSON.stringify(event)}\n`));
  }

  /** Lets other processes have the directory; harmless when called again. */
  release(): void {
    this.lock?.release();
  }

  private static take(path: string): RunDirectory {
    const unlocked = RunDirectory.at(path);
    return unlocked.attempt(() => {
      mkdirSync(unlocked.checkpoints, { recursive: true });
      return new RunDirectory(path, acquireLock(join(path, 'lock'), path));
    });
  }

  private refuseOther(run: TrainingRun, mode: ResumeMode): void {
    if (!this.hasBegun) {
      return; // nothing here is worth keeping
    }
    if (mode === 'new') {
      throw new RunFileError(
        'RUN_EXISTS',
        `${this.path} already holds a run; add --resume to go on with it, or name another by --set metadata.name=NAME`,
        ExitCode.cannotCreate,
      );
    }
    const differences = trainingDifferences(readTrainingRun(this.runFile), run);
    if (differences.length > 0) {
      throw new RunFileError(
        'RUN_DIFFERS',
        `${this.path} holds a run of other settings: ${differences.join(', ')}; name another by --set metadata.name=NAME`,
      );
    }
  }

  private attempt<Value>(action: () => Value): Value {
    try {
      return action();
    } catch (cause) {
      if (cause instanceof RunFileError) {
        throw cause;
      }
      const { code } = cause as NodeJS.ErrnoException;
      throw new RunFileError(
        'RUN_DIRECTORY_UNUSABLE',
        `the run directory ${this.path} cannot be written (${code ?? String(cause)})`,
        ExitCode.cannotCreate,
        { cause },
      );
    }
  }
}
