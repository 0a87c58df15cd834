import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeFolderSync } from '../disk/folders.js';
import { InputFileFault, readInputFile } from '../disk/input-file.js';
import { ExitCode } from '../errors.js';
import { writeFileAtomic } from './atomic-file.js';
import { checkpointOf } from './checkpoint-name.js';
import { RunFileError } from './error.js';
import { acquireLock, isLocked, type RunLock } from './lock.js';
import { parseJson } from './parse-json.js';
import { isThere, namesIn } from './presence.js';
import { readTrainingRun } from './read.js';
import { Terms } from './terms.js';
import { trainingDifferences } from './training-hash.js';
import type { TrainingRun } from './training-run.js';

/** Far above what a run of the largest schedule writes. */
const largestFileBytes = 2 ** 30;
/** Far above the list of a million images. Node's longest text is twice as long. */
const largestPicturesBytes = 2 ** 28;

/** How a run directory is opened: for a new run, to resume one, or for either. */
export type ResumeMode = 'new' | 'resume' | 'auto';

/**
 * `runs/NAME`: `run.yaml` (all settings), `pictures.json`, `checkpoints/`, `terms/`, `events.jsonl`, the ledger and, at
 * the end, `result.json`. One process at a time holds it, as long as it renews its lock. `isHeld` tells a process
 * whether it was replaced after a pause.
 */
export class RunDirectory {
  readonly runFile: string;
  readonly resultFile: string;
  readonly picturesFile: string;
  readonly eventsFile: string;
  readonly checkpoints: string;
  readonly controlSocket: string;
  /** What the page of the run needs to control it. */
  readonly controlTokenFile: string;
  readonly terms: Terms;

  /** @param isNew whether this process created the directory */
  private constructor(
    readonly path: string,
    private readonly lock: RunLock | null,
    private readonly isNew: boolean,
  ) {
    this.runFile = join(path, 'run.yaml');
    this.resultFile = join(path, 'result.json');
    this.picturesFile = join(path, 'pictures.json');
    this.eventsFile = join(path, 'events.jsonl');
    this.checkpoints = join(path, 'checkpoints');
    this.controlSocket = join(path, 'control.sock');
    this.controlTokenFile = join(path, 'control-token');
    this.terms = new Terms(join(path, 'terms'));
  }

  /** The paths in a run directory, without locking it: for readers of a run. */
  static at(path: string): RunDirectory {
    return new RunDirectory(path, null, false);
  }

  /**
   * Locks the directory of `run` and creates it if needed. Before `writeRunFile` it belongs to no run.
   * @throws RunFileError RUN_EXISTS (a new run, but the directory has one), RUN_ABSENT (nothing to resume), RUN_DIFFERS
   * (the run there has other training settings, which are named), RUN_LOCKED, RUN_DIRECTORY_UNUSABLE
   */
  static open(run: TrainingRun, mode: ResumeMode): RunDirectory {
    const path = join(run.spec.operation.runsDirectory, run.metadata.name);
    if (mode === 'resume' && !RunDirectory.at(path).isRun) {
      throw new RunFileError(
        'RUN_ABSENT',
        `there is no run in ${path} to resume; omit --resume to start one`,
        ExitCode.missingInput,
      );
    }
    const directory = RunDirectory.take(path, run.spec.operation.lease.seconds);
    try {
      directory.requireSameRun(run, mode);
      return directory;
    } catch (error) {
      directory.release();
      throw error;
    }
  }

  /** Whether the directory belongs to a run. */
  get isRun(): boolean {
    return this.reading(() => isThere(this.runFile));
  }

  /** Whether a coordinator has created a control socket. A killed coordinator leaves it behind. */
  get isControlled(): boolean {
    return this.reading(() => isThere(this.controlSocket));
  }

  /** Whether the run here has a checkpoint or a result. Other files do not count. */
  get hasBegun(): boolean {
    return this.reading(
      () =>
        isThere(this.resultFile) || namesIn(this.checkpoints).some((entry) => checkpointOf(entry) !== null),
    );
  }

  /** Writes all settings. From then on the directory belongs to the run, so everything else must exist already. */
  writeRunFile(run: TrainingRun): void {
    this.writing(() => writeFileAtomic(this.runFile, stringify(run)));
  }

  /** Replaces `pictures.json` atomically. */
  writePictures(pictures: object): void {
    this.writing(() => writeFileAtomic(this.picturesFile, `${JSON.stringify(pictures, null, 1)}\n`));
  }

  /** The content of `pictures.json`, undefined when it is not JSON; null when there is none. */
  readPictures(): unknown {
    return this.reading(() => {
      if (!isThere(this.picturesFile)) return null;
      return parseJson(readInputFile(this.picturesFile, largestPicturesBytes).toString('utf8'));
    });
  }

  /** Removes a directory that this process created for a run that did not start. */
  discardUnlessBegun(): void {
    try {
      if (!this.isNew || this.lock?.isHeld() !== true || this.hasBegun) return;
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // The reason why the run did not start matters more than a failed removal.
    }
  }

  /** The sample ledger of a term. A coordinator that was replaced cannot change its successor's. */
  ledgerFileOf(term: number): string {
    return join(this.path, `ledger-${String(term).padStart(6, '0')}.jsonl`);
  }

  /** The existing ledgers of terms below `below`, the highest term's first: that one counts. */
  ledgerFiles(below = Number.POSITIVE_INFINITY): string[] {
    return this.ledgerTerms()
      .filter((term) => term < below)
      .sort((a, b) => b - a)
      .map((term) => this.ledgerFileOf(term));
  }

  /** Whether a process holds the directory now. */
  get isLocked(): boolean {
    return this.reading(() => isLocked(join(this.path, 'lock')));
  }

  /**
   * Grants a term higher than every earlier one, also one of a coordinator that was killed before it wrote anything
   * else. From here on, files that lower terms write do not count.
   * @param above the term is also higher than this
   */
  nextTerm(above = 0): number {
    return this.writing(() => {
      // A checkpoint that was about to be replaced counts while its successor is missing; see CheckpointStore.
      const checkpoints = namesIn(this.checkpoints).flatMap((entry) => checkpointOf(entry) ?? []);
      const found = {
        checkpoints: [...new Set(checkpoints.map(({ name }) => name))],
        finished: isThere(this.resultFile),
      };
      // If a run was copied without its terms, its other files show the highest term.
      return this.terms.grant(
        found,
        Math.max(above, ...checkpoints.map(({ term }) => term), ...this.ledgerTerms()),
      );
    });
  }

  /** Whether this process still holds the directory, and `term` is the highest granted term. */
  isHeld(term: number): boolean {
    return this.lock?.isHeld() === true && this.terms.highest() === term;
  }

  /**
   * Takes the lock again if only its file was removed, and `term` is the highest granted term; false when another
   * process has taken the directory.
   */
  regain(term: number): boolean {
    return this.terms.highest() === term && this.lock?.regain() === true && this.isHeld(term);
  }

  /** Whether the directory was removed or moved while this process held it. */
  get isGone(): boolean {
    return this.lock?.isFolderGone === true;
  }

  /** Renews the lock; false when another process has taken the directory. */
  renew(): boolean {
    return this.lock?.renew() === true;
  }

  /** Replaces `result.json` atomically. */
  writeResult(result: unknown): void {
    this.writing(() => writeFileAtomic(this.resultFile, `${JSON.stringify(result, null, 2)}\n`));
  }

  /** The result, or null when there is none, or when it does not belong to the highest term's history. */
  readResult(): unknown {
    return this.reading(() => {
      if (!isThere(this.resultFile)) return null;
      const result: unknown = parseJson(readInputFile(this.resultFile, largestFileBytes).toString('utf8'));
      const { term } = (result ?? {}) as { term?: unknown };
      if (typeof term !== 'number') {
        throw new RunFileError(
          'RUN_RESULT_DAMAGED',
          `the result ${this.resultFile} is damaged: it must be a JSON object with a number as its term; delete the file, and --resume writes it again`,
          ExitCode.badData,
        );
      }
      return this.terms.acceptsResult(term) ? result : null;
    });
  }

  /** Removes an incomplete last line of `events.jsonl`, so that every line is an event. */
  mendEvents(): void {
    this.writing(() => {
      if (!isThere(this.eventsFile)) return;
      const bytes = readInputFile(this.eventsFile, largestFileBytes);
      const whole = bytes.lastIndexOf('\n') + 1;
      if (whole === bytes.length) return;
      if (isJson(bytes.toString('utf8', whole))) appendFileSync(this.eventsFile, '\n');
      else truncateSync(this.eventsFile, whole);
    });
  }

  /** The lines of `events.jsonl`; none when it does not exist. */
  readEventLines(): string[] {
    return this.reading(() =>
      isThere(this.eventsFile)
        ? readInputFile(this.eventsFile, largestFileBytes).toString('utf8').split('\n')
        : [],
    );
  }

  /** Writes the control token, for this user only. */
  writeControlToken(token: string): void {
    this.writing(() => {
      // A file that is there already would keep its permissions.
      rmSync(this.controlTokenFile, { force: true });
      writeFileSync(this.controlTokenFile, `${token}\n`, { mode: 0o600, flag: 'wx' });
    });
  }

  /** Removes the control token, unless a successor has written its own. */
  removeControlToken(token: string): void {
    this.writing(() => {
      if (!isThere(this.controlTokenFile)) return;
      if (readInputFile(this.controlTokenFile, largestFileBytes).toString('utf8').trim() !== token) return;
      rmSync(this.controlTokenFile, { force: true });
    });
  }

  /** Adds one line to `events.jsonl`. */
  appendEvent(event: object): void {
    this.writing(() => appendFileSync(this.eventsFile, `${JSON.stringify(event)}\n`));
  }

  /** Releases the directory. It may be called again. */
  release(): void {
    this.lock?.release();
  }

  private static take(path: string, leaseSeconds: number): RunDirectory {
    const unlocked = RunDirectory.at(path);
    return unlocked.writing(() => {
      const isNew = makeFolderSync(path);
      makeFolderSync(unlocked.checkpoints);
      return new RunDirectory(path, acquireLock(join(path, 'lock'), path, leaseSeconds), isNew);
    });
  }

  private ledgerTerms(): number[] {
    return this.reading(() => namesIn(this.path)).flatMap((name) => {
      const term = /^ledger-(\d{6,})\.jsonl$/.exec(name)?.[1];
      return term === undefined ? [] : [Number(term)];
    });
  }

  private requireSameRun(run: TrainingRun, mode: ResumeMode): void {
    if (!this.hasBegun) {
      return; // nothing here is worth keeping
    }
    if (mode === 'new') {
      throw new RunFileError(
        'RUN_EXISTS',
        `${this.path} already contains a run; add --resume to continue it, or choose another name with --set metadata.name=NAME`,
        ExitCode.cannotCreate,
      );
    }
    const differences = trainingDifferences(readTrainingRun(this.runFile), run);
    if (differences.length > 0) {
      throw new RunFileError(
        'RUN_DIFFERS',
        `${this.path} contains a run with other settings: ${differences.join(', ')}; choose another name with --set metadata.name=NAME`,
      );
    }
  }

  private reading<Value>(action: () => Value): Value {
    return this.attempt('read', ExitCode.missingInput, action);
  }

  private writing<Value>(action: () => Value): Value {
    return this.attempt('written', ExitCode.cannotCreate, action);
  }

  private attempt<Value>(what: 'read' | 'written', exitCode: ExitCode, action: () => Value): Value {
    try {
      return action();
    } catch (cause) {
      if (cause instanceof RunFileError) {
        throw cause;
      }
      const { code } = cause as NodeJS.ErrnoException;
      throw new RunFileError(
        'RUN_DIRECTORY_UNUSABLE',
        cause instanceof InputFileFault
          ? `${cause.path} ${cause.message}`
          : `the run directory ${this.path} cannot be ${what} (${code ?? String(cause)})`,
        exitCode,
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
