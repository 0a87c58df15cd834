import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ExitCode } from '../errors.js';
import { writeFileAtomic } from './atomic-file.js';
import { RunFileError } from './error.js';
import { acquireLock, isLocked, type RunLock } from './lock.js';
import { readTrainingRun } from './read.js';
import { Terms } from './terms.js';
import { trainingDifferences } from './training-hash.js';
import type { TrainingRun } from './training-run.js';

/** What is wanted of a run directory: a new run, the continuation of one, or whichever fits. */
export type ResumeMode = 'new' | 'resume' | 'auto';

/**
 * `runs/NAME`: `run.yaml` (every setting as decided), `checkpoints/`, `terms/`, `events.jsonl`, the ledger
 * and, at the end, `result.json`. One process at a time holds it, for as long as it goes on renewing its lock; one that was passed over
 * after a pause is told by `isHeld`.
 */
export class RunDirectory {
  readonly runFile: string;
  readonly resultFile: string;
  readonly eventsFile: string;
  readonly checkpoints: string;
  readonly controlSocket: string;
  readonly terms: Terms;

  private constructor(
    readonly path: string,
    private readonly lock: RunLock | undefined,
  ) {
    this.runFile = join(path, 'run.yaml');
    this.resultFile = join(path, 'result.json');
    this.eventsFile = join(path, 'events.jsonl');
    this.checkpoints = join(path, 'checkpoints');
    this.controlSocket = join(path, 'control.sock');
    this.terms = new Terms(join(path, 'terms'));
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
    const directory = RunDirectory.take(path, run.spec.operation.lease.seconds);
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

  /** Where the coordinator of a term keeps the sample ledger: one that was replaced has no part in its successor's. */
  ledgerFileOf(term: number): string {
    return join(this.path, `ledger-${String(term).padStart(6, '0')}.jsonl`);
  }

  /** The ledgers of terms below `below` that are there, the highest term's first: that one counts. */
  ledgerFiles(below = Number.POSITIVE_INFINITY): string[] {
    if (!existsSync(this.path)) return [];
    const terms = readdirSync(this.path).map((name) =>
      Number(/^ledger-(\d{6,})\.jsonl$/.exec(name)?.[1] ?? 0),
    );
    return terms
      .filter((term) => term > 0 && term < below)
      .sort((a, b) => b - a)
      .map((term) => this.ledgerFileOf(term));
  }

  /** Whether a process has the directory at this moment. */
  get isLocked(): boolean {
    return isLocked(join(this.path, 'lock'));
  }

  /**
   * A leadership number higher than any that was given out here before, also to a coordinator that was killed
   * before it wrote anything else. From here on nothing that a lower term writes counts.
   * @param above the term is higher than this too
   */
  nextTerm(above = 0): number {
    return this.attempt(() => {
      const checkpoints = existsSync(this.checkpoints) ? readdirSync(this.checkpoints) : [];
      const found = {
        // One that a later one of its name was about to replace stands in for it; see CheckpointStore.
        checkpoints: checkpoints.map((name) => name.replace(/^\.replaced-/, '')).filter(isNoTemporary),
        finished: existsSync(this.resultFile),
      };
      return this.terms.grant(found, above);
    });
  }

  /** Whether this process still has the directory, and `term` is the highest that was granted. */
  isHeld(term: number): boolean {
    return this.lock?.isHeld() === true && this.terms.highest() === term;
  }

  /** Shows others that this process goes on; false when one of them has taken the directory. */
  renew(): boolean {
    return this.lock?.renew() === true;
  }

  /** Replaces `result.json` at once. */
  writeResult(result: unknown): void {
    this.attempt(() => writeFileAtomic(this.resultFile, `${JSON.stringify(result, null, 2)}\n`));
  }

  /** What `writeResult` wrote, or null where there is none, or only one that a higher term had no part in. */
  readResult(): unknown {
    if (!existsSync(this.resultFile)) return null;
    return this.attempt(() => {
      const result = JSON.parse(readFileSync(this.resultFile, 'utf8')) as { term?: number };
      return this.terms.acceptsResult(result.term ?? 0) ? result : null;
    });
  }

  /** Cuts off a last line of `events.jsonl` that was not written whole, so that every line is an event. */
  mendEvents(): void {
    this.attempt(() => {
      if (!existsSync(this.eventsFile)) return;
      const bytes = readFileSync(this.eventsFile);
      const whole = bytes.lastIndexOf('\n') + 1;
      if (whole === bytes.length) return;
      if (isJson(bytes.toString('utf8', whole))) appendFileSync(this.eventsFile, '\n');
      else truncateSync(this.eventsFile, whole);
    });
  }

  /** Adds one line to `events.jsonl`. */
  appendEvent(event: object): void {
    this.attempt(() => appendFileSync(this.eventsFile, `${JSON.stringify(event)}\n`));
  }

  /** Lets other processes have the directory; harmless when called again. */
  release(): void {
    this.lock?.release();
  }

  private static take(path: string, leaseSeconds: number): RunDirectory {
    const unlocked = RunDirectory.at(path);
    return unlocked.attempt(() => {
      mkdirSync(unlocked.checkpoints, { recursive: true });
      return new RunDirectory(path, acquireLock(join(path, 'lock'), path, leaseSeconds));
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

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isNoTemporary(name: string): boolean {
  return !name.startsWith('.') && name !== 'latest' && name !== 'best';
}
