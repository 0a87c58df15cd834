import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Disk, disk } from '../disk/disk.js';
import { DiskError } from '../disk/error.js';
import { ExitCode } from '../errors.js';
import { REPLACED, WriteAttempt } from './attempt.js';
import { CheckpointError, reasonOf } from './error.js';
import type { CheckpointManifest } from './manifest.js';
import { type CheckpointState, readManifest, readState } from './state.js';

const NAME = /^term-(\d{6,})-step-(\d{10,})$/;

/** A checkpoint that was passed over, and why. */
export interface RejectedCheckpoint {
  readonly name: string;
  /** Optimiser steps done since the run began, as its name says. */
  readonly globalStep: number;
  readonly reason: string;
}

/** Keeps what several coordinators of a run write apart; see `Leadership`. */
export interface Fence {
  /** Whether a checkpoint belongs to the run, rather than to a coordinator that had been replaced when it wrote. */
  accepts(term: number, name: string): boolean;
  /** Called before anything in the directory is replaced or removed; throws where another coordinator has the run. */
  check(): void;
}

/** A write that was given up and begun anew, because a file operation in it did not answer. */
export interface AbandonedWrite {
  readonly name: string;
  readonly reason: string;
}

/**
 * How long an attempt to write waits for each of its file operations, in seconds; then it is given up, and the next is
 * made under another name. Longer each time: a disk that is only slow must get there.
 */
const patienceSeconds = [120, 240, 480] as const;

/** One checkpoint of a run. */
export interface CheckpointEntry {
  readonly name: string;
  readonly latest: boolean;
  readonly best: boolean;
  /** null where it cannot be read. */
  readonly manifest: CheckpointManifest | null;
}

/**
 * The checkpoints of one run: directories `term-…-step-…`, each complete from the moment it has that name, and two text
 * files `latest` and `best` that name one of them. The newest is the one of the highest term, then step; `latest` is for
 * people and scripts, and loading does not depend on it. What a coordinator wrote after another had replaced it is not
 * seen.
 *
 * Reading changes nothing, so any process may read while one trains. Saves run one after another.
 */
export class CheckpointStore {
  private queue: Promise<unknown> = Promise.resolve();
  private prepared = false;
  private readonly passedOver = new Set<string>();

  /**
   * @param directory created by the first save
   * @param options.fence null where one coordinator at most ever has the directory
   * @param options.keep newest checkpoints that stay besides `latest` and `best`, at least 1
   * @param diskOf what a write with so much patience goes through; for tests
   */
  constructor(
    private readonly directory: string,
    private readonly options: { keep: number; fence: Fence | null },
    private readonly diskOf: (patienceSeconds: number) => Disk = (seconds) => new Disk(seconds),
  ) {}

  /**
   * Makes a state durable: written beside, fsynced, renamed, then `latest` (and `best`) moved, then old ones removed. A
   * kill at any instant leaves the earlier checkpoints or this one. The caller leaves the state's arrays alone until the
   * promise settles and may train on meanwhile.
   *
   * A write of which a file operation does not answer is given up, and begun anew beside it; that happens twice at most.
   *
   * @param options.onAbandoned told of each write that is begun anew
   * @throws CheckpointError `CHECKPOINT_WRITE`, after removing what was written; earlier checkpoints are untouched
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
   * Loads the newest checkpoint that is whole, belongs to this run and fits what else is there of it; null where there
   * are no checkpoints.
   *
   * @param companionOf what else there has to be for a state; throws where it is not there, and then an older checkpoint is looked at
   * @throws CheckpointError `CHECKPOINT_NONE_USABLE` with every reason where there are some but none can be used
   */
  async loadNewest<Companion = undefined>(
    expected: { trainingHash: string; arithmeticVersion: number },
    companionOf: (state: CheckpointState) => Promise<Companion> = async () => undefined as Companion,
  ): Promise<{
    state: CheckpointState;
    companion: Companion;
    name: string;
    created: Date;
    rejected: RejectedCheckpoint[];
  } | null> {
    const candidates = await this.candidates();
    if (candidates.length === 0) return null;
    const rejected: RejectedCheckpoint[] = [];
    let foreign = 0;
    for (const { name, path } of candidates) {
      try {
        const manifest = await readManifest(path);
        const state = await readState(path, manifest, expected);
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
        rejected.push({ name, globalStep: orderOf(name)[1], reason: reasonOf(error) });
      }
    }
    const reasons = rejected.map(({ name, reason }) => `${name}: ${reason.replace(/\.$/, '')}`).join('; ');
    throw new CheckpointError(
      'CHECKPOINT_NONE_USABLE',
      `None of ${rejected.length} checkpoints in ${this.directory} can be used (${reasons}).`,
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
        manifest: await readManifest(path).catch(() => null),
      })),
    );
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
        // What did not answer may yet be carried out, and must not meet a directory that is half removed.
        if (!isUnanswered) await attempt.clear(name);
        // Another coordinator removes what this one was writing: that is the better reason.
        this.options.fence?.check();
        if (!isUnanswered || number === patienceSeconds.length) {
          throw new CheckpointError(
            'CHECKPOINT_WRITE',
            `Checkpoint ${name} cannot be written: ${reasonOf(error)}.`,
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

  private async pointer(pointer: 'latest' | 'best', from: Disk = disk): Promise<string | null> {
    return from.readText(join(this.directory, pointer)).then(
      (text) => text.trim(),
      (error) => {
        if (error instanceof DiskError) throw error;
        return null;
      },
    );
  }

  /**
   * Removes all but the newest, the latest and the best. Those that loading passed over neither count nor go: they may
   * be newer by name than anything that can be loaded, and somebody may want to know what happened to them.
   */
  private async removeOld(attempt: WriteAttempt, latest: string): Promise<void> {
    const best = await this.pointer('best', attempt.disk);
    const countable = (await this.candidates(attempt.disk)).filter(({ name }) => !this.passedOver.has(name));
    for (const { name, path } of countable.slice(this.options.keep)) {
      if (name === latest || name === best) continue;
      await attempt.discard(name, path);
    }
  }

  /** Checkpoints by name, newest first, with the place where each is. */
  private async candidates(from: Disk = disk): Promise<{ name: string; path: string }[]> {
    const entries = await from.readdir(this.directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      if (error instanceof DiskError) throw error;
      throw new CheckpointError('CHECKPOINT_READ', `${this.directory} cannot be read: ${error.message}.`, {
        exitCode: ExitCode.inputOutput,
        cause: error,
      });
    });
    const places = new Map<string, string>();
    for (const entry of entries.sort().reverse()) {
      const name = entry.startsWith(REPLACED) ? entry.slice(REPLACED.length) : entry;
      if (NAME.test(name) && !places.has(name)) places.set(name, join(this.directory, entry));
    }
    const { fence } = this.options;
    return [...places]
      .filter(([name]) => fence === null || fence.accepts(orderOf(name)[0], name))
      .map(([name, path]) => ({ name, path, order: orderOf(name) }))
      .sort((a, b) => b.order[0] - a.order[0] || b.order[1] - a.order[1]);
  }
}

/** What a checkpoint's name says: its term, and the optimiser steps done since the run began. */
function orderOf(name: string): [term: number, globalStep: number] {
  return NAME.exec(name)!.slice(1).map(Number) as [number, number];
}
