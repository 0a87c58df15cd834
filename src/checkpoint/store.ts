import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { firstFew } from '../console/first-few.js';
import { type Disk, type DiskOf, diskWithPatience } from '../disk/disk.js';
import { DiskError } from '../disk/error.js';
import { ExitCode } from '../errors.js';
import { type CheckpointName, checkpointOf } from '../run/checkpoint-name.js';
import { isAbsence } from '../run/presence.js';
import { WriteAttempt } from './attempt.js';
import { CheckpointError, reasonOf } from './error.js';
import type { CheckpointManifest } from './manifest.js';
import { type CheckpointState, readManifest, readState } from './state.js';

/** A checkpoint that could not be used, and why. */
export interface RejectedCheckpoint {
  readonly name: string;
  /** Optimiser steps since the start of the run, from its name. */
  readonly globalStep: number;
  readonly reason: string;
}

/** Separates the writes of several coordinators of a run; see `Leadership`. */
export interface Fence {
  /** Whether a checkpoint belongs to the run, and was not written by a coordinator that had been replaced. */
  accepts(term: number, name: string): boolean;
  /** Called before anything in the directory is replaced or removed. Throws when another coordinator has taken over. */
  check(): void;
}

/** Optimiser steps that a checkpoint may have behind it, both bounds included. */
export interface StepBounds {
  readonly least: number;
  readonly most: number;
}

/** A write that was given up and started again, because a file operation did not answer. */
export interface AbandonedWrite {
  readonly name: string;
  readonly reason: string;
}

/**
 * Time limit, in seconds, of each file operation in the first, second and third attempt to write. Each attempt uses new
 * names. The limit grows, so that a slow disk can finish.
 */
const patienceSeconds = [120, 240, 480] as const;

/** One checkpoint of a run. */
export interface CheckpointEntry {
  readonly name: string;
  readonly latest: boolean;
  readonly best: boolean;
  /** null when it cannot be read. */
  readonly manifest: CheckpointManifest | null;
}

/**
 * The checkpoints of one run: directories `term-…-step-…`, each complete from the moment it has that name, and two text
 * files `latest` and `best` that name one of them. The newest has the highest term, then the highest step. `latest` is
 * for people and scripts; loading does not use it. Checkpoints that a replaced coordinator wrote are ignored. Reading
 * changes nothing, so any process may read during training. Saves run one after another.
 */
export class CheckpointStore {
  private queue: Promise<unknown> = Promise.resolve();
  private readonly reading: Disk;
  private prepared = false;
  private readonly passedOver = new Set<string>();

  /**
   * @param directory created by the first save
   * @param options.fence null when only one coordinator ever uses the directory
   * @param options.keep number of newest checkpoints kept besides `latest` and `best`, at least 1
   * @param diskOf file operations with a time limit, null for none; for tests
   */
  constructor(
    private readonly directory: string,
    private readonly options: { keep: number; fence: Fence | null },
    private readonly diskOf: DiskOf = diskWithPatience,
  ) {
    this.reading = diskOf(null);
  }

  /**
   * Makes a state durable: writes it under a temporary name, fsyncs, renames, moves `latest` (and `best`), and removes
   * old ones. A kill at any time leaves the earlier checkpoints or this one. The caller must not change the state's
   * arrays before the promise settles, but may train meanwhile. A write whose file operation does not answer is given
   * up and started again, at most twice.
   * @param options.onAbandoned called for each write that is started again
   * @throws CheckpointError `CHECKPOINT_WRITE`, after removing the written files; earlier checkpoints are unchanged
   */
  save(
    state: CheckpointState,
    { best, onAbandoned = () => {} }: { best: boolean; onAbandoned?: (abandoned: AbandonedWrite) => void },
  ): Promise<{ name: string; bytes: number; seconds: number }> {
    const saved = this.queue.then(() => this.write(state, best, onAbandoned));
    this.queue = saved.catch(() => undefined);
    return saved;
  }

  /**
   * Loads the newest checkpoint that is complete, belongs to this run and matches its companion; null when there are no
   * checkpoints.
   * @param expected.steps bounds of the steps that it may have; any when left out
   * @param expected.name of the only one that is wanted; any when left out
   * @param companionOf loads other required data of a state; when it throws, an older checkpoint is tried
   * @throws CheckpointError `CHECKPOINT_NONE_USABLE` with every reason when there are checkpoints but none can be used
   */
  async loadNewest<Companion = undefined>(
    expected: { trainingHash: string; arithmeticVersion: number; steps?: StepBounds; name?: string },
    companionOf: (state: CheckpointState) => Promise<Companion> = async () => undefined as Companion,
  ): Promise<{
    state: CheckpointState;
    companion: Companion;
    name: string;
    created: Date;
    rejected: RejectedCheckpoint[];
  } | null> {
    const { least, most } = expected.steps ?? { least: 0, most: Number.POSITIVE_INFINITY };
    const candidates = (await this.candidates()).filter(
      ({ name, globalStep }) => globalStep >= least && globalStep <= most && name === (expected.name ?? name),
    );
    if (candidates.length === 0) return null;
    const rejected: RejectedCheckpoint[] = [];
    let foreign = 0;
    for (const { name, globalStep, path } of candidates) {
      try {
        const manifest = await readManifest(this.reading, path);
        const state = await readState(this.reading, path, manifest, expected);
        return {
          state,
          companion: await companionOf(state),
          name,
          created: new Date(manifest.created),
          rejected,
        };
      } catch (error) {
        if (error instanceof CheckpointError && error.code === 'CHECKPOINT_FOREIGN') foreign++;
        this.passedOver.add(name);
        rejected.push({ name, globalStep, reason: reasonOf(error) });
      }
    }
    const reasons = rejected.map(({ name, reason }) => `${name}: ${reason.replace(/\.$/, '')}`);
    throw new CheckpointError(
      'CHECKPOINT_NONE_USABLE',
      `none of ${rejected.length} checkpoints in ${this.directory} can be used (${firstFew(reasons, '; ')})`,
      { exitCode: foreign === rejected.length ? ExitCode.badConfiguration : ExitCode.badData },
    );
  }

  /** All checkpoints, newest first. */
  async list(): Promise<CheckpointEntry[]> {
    const [latest, best] = await Promise.all([this.pointer('latest'), this.pointer('best')]);
    const candidates = await this.candidates();
    return Promise.all(
      candidates.map(async ({ name, path }) => ({
        name,
        latest: name === latest,
        best: name === best,
        manifest: await readManifest(this.reading, path).catch(() => null),
      })),
    );
  }

  /** Name of the checkpoint with the best mean average precision; null before the first evaluation. */
  bestName(): Promise<string | null> {
    return this.pointer('best');
  }

  private async write(
    state: CheckpointState,
    best: boolean,
    onAbandoned: (abandoned: AbandonedWrite) => void,
  ): Promise<{ name: string; bytes: number; seconds: number }> {
    const start = performance.now();
    const { globalStep } = state.position;
    const name = `term-${String(state.term).padStart(6, '0')}-step-${String(globalStep).padStart(10, '0')}`;
    for (let number = 1; ; number++) {
      const attempt = new WriteAttempt(this.diskOf(patienceSeconds[number - 1]!), this.directory, number);
      try {
        const bytes = await this.writeOnce(attempt, name, state, best);
        return { name, bytes, seconds: (performance.now() - start) / 1000 };
      } catch (error) {
        const isUnanswered = error instanceof DiskError;
        // An operation that did not answer may still run, and must not find a directory that is half removed.
        if (!isUnanswered) await attempt.clear(name);
        // If another coordinator removed the files, report that instead.
        this.options.fence?.check();
        if (!isUnanswered || number === patienceSeconds.length) {
          throw new CheckpointError(
            'CHECKPOINT_WRITE',
            `checkpoint ${name} cannot be written: ${reasonOf(error)}`,
            { exitCode: isUnanswered ? error.exitCode : ExitCode.cannotCreate, cause: error },
          );
        }
        onAbandoned({ name, reason: error.message });
      }
    }
  }

  private async writeOnce(attempt: WriteAttempt, name: string, state: CheckpointState, best: boolean) {
    const { fence } = this.options;
    fence?.check();
    if (!this.prepared) await attempt.prepare();
    this.prepared = true;
    const bytes = await attempt.writeFiles(name, state);
    fence?.check();
    await attempt.publish(name);
    this.passedOver.delete(name);
    fence?.check();
    await attempt.point('latest', name);
    if (best) await attempt.point('best', name);
    await this.removeOld(attempt, name);
    return bytes;
  }

  private async pointer(pointer: 'latest' | 'best', from: Disk = this.reading): Promise<string | null> {
    const path = join(this.directory, pointer);
    return from.readText(path).then(
      (text) => text.trim(),
      (error) => {
        if (isAbsence(error)) return null;
        throw unreadable(path, error);
      },
    );
  }

  /**
   * Removes all but the newest, the latest and the best. Unusable checkpoints are neither counted nor removed: their
   * names may be newer, and a user may want to examine them.
   */
  private async removeOld(attempt: WriteAttempt, latest: string): Promise<void> {
    const best = await this.pointer('best', attempt.disk);
    const countable = (await this.candidates(attempt.disk)).filter(({ name }) => !this.passedOver.has(name));
    for (const { name, path } of countable.slice(this.options.keep)) {
      if (name === latest || name === best) continue;
      await attempt.discard(name, path);
    }
  }

  /** Checkpoints by name, newest first, with their paths. */
  private async candidates(
    from: Disk = this.reading,
  ): Promise<(CheckpointName & { readonly path: string })[]> {
    const entries = await from.readdir(this.directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw unreadable(this.directory, error);
    });
    const found = new Map<string, CheckpointName & { readonly path: string }>();
    // A checkpoint comes before one of the same name that is about to be replaced.
    for (const entry of entries.sort().reverse()) {
      const checkpoint = checkpointOf(entry);
      if (checkpoint && !found.has(checkpoint.name)) {
        found.set(checkpoint.name, { ...checkpoint, path: join(this.directory, entry) });
      }
    }
    const { fence } = this.options;
    return [...found.values()]
      .filter(({ term, name }) => fence === null || fence.accepts(term, name))
      .sort((a, b) => b.term - a.term || b.globalStep - a.globalStep);
  }
}

function unreadable(path: string, cause: NodeJS.ErrnoException): Error {
  if (cause instanceof DiskError) return cause;
  return new CheckpointError('CHECKPOINT_READ', `${path} cannot be read: ${cause.message}`, {
    exitCode: ExitCode.inputOutput,
    cause,
  });
}
