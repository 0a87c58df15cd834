import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ExitCode } from '../errors.js';
import { type CheckpointName, checkpointOf, REPLACED } from '../run/checkpoint-name.js';
import { isAbsence } from '../run/presence.js';
import { renameDurably, syncDirectory, writeDurably } from './durable.js';
import { CheckpointError, reasonOf } from './error.js';
import { type CheckpointManifest, encodeManifest, FORMAT_VERSION } from './manifest.js';
import { type CheckpointState, encodeState, MANIFEST_FILE, readManifest, readState } from './state.js';

/** Unfinished or abandoned; whoever writes next removes it. */
const TEMPORARY = '.tmp-';

/** A checkpoint that was passed over, and why. */
export interface RejectedCheckpoint {
  readonly name: string;
  readonly reason: string;
}

/** Keeps what several coordinators of a run write apart; see `Leadership`. */
export interface Fence {
  /** Whether a checkpoint belongs to the run, rather than to a coordinator that had been replaced when it wrote. */
  accepts(term: number, name: string): boolean;
  /** Called before anything in the directory is replaced or removed; throws where another coordinator has the run. */
  check(): void;
}

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
   */
  constructor(
    private readonly directory: string,
    private readonly options: { keep: number; fence: Fence | null },
  ) {}

  /**
   * Makes a state durable: written beside, fsynced, renamed, then `latest` (and `best`) moved, then old ones removed. A
   * kill at any instant leaves the earlier checkpoints or this one. The caller leaves the state's arrays alone until the
   * promise settles and may train on meanwhile.
   *
   * @throws CheckpointError `CHECKPOINT_WRITE`, after removing what was written; earlier checkpoints are untouched
   */
  save(
    state: CheckpointState,
    { best }: { best: boolean },
  ): Promise<{ name: string; bytes: number; seconds: number }> {
    const saved = this.queue.then(() => this.write(state, best));
    this.queue = saved.catch(() => undefined);
    return saved;
  }

  /**
   * Loads the newest checkpoint that is whole and belongs to this run; null where there are no checkpoints.
   *
   * @throws CheckpointError `CHECKPOINT_NONE_USABLE` with every reason where there are some but none can be used
   */
  async loadNewest(expected: { trainingHash: string; arithmeticVersion: number }): Promise<{
    state: CheckpointState;
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
        return { state, name, created: new Date(manifest.created), rejected };
      } catch (error) {
        if (error instanceof CheckpointError && error.code === 'CHECKPOINT_FOREIGN') foreign++;
        this.passedOver.add(name);
        rejected.push({ name, reason: reasonOf(error) });
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

  private async write(state: CheckpointState, best: boolean) {
    const start = performance.now();
    const { globalStep } = state.position;
    const name = `term-${String(state.term).padStart(6, '0')}-step-${String(globalStep).padStart(10, '0')}`;
    const temporary = join(this.directory, `${TEMPORARY}${name}`);
    try {
      this.options.fence?.check();
      await this.prepare();
      const bytes = await this.writeFiles(temporary, state);
      this.options.fence?.check();
      await this.publish(temporary, name);
      this.options.fence?.check();
      await this.point('latest', name);
      if (best) await this.point('best', name);
      await this.removeOld(name);
      return { name, bytes, seconds: (performance.now() - start) / 1000 };
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      // Another coordinator removes what this one was writing: that is the better reason.
      this.options.fence?.check();
      throw new CheckpointError(
        'CHECKPOINT_WRITE',
        `Checkpoint ${name} cannot be written: ${reasonOf(error)}.`,
        {
          exitCode: ExitCode.cannotCreate,
          cause: error,
        },
      );
    }
  }

  /** Creates the directory and clears what a killed process left in it. */
  private async prepare(): Promise<void> {
    if (this.prepared) return;
    await mkdir(this.directory, { recursive: true });
    const names = new Set(await readdir(this.directory));
    for (const entry of names) {
      const path = join(this.directory, entry);
      if (entry.startsWith(REPLACED) && !names.has(entry.slice(REPLACED.length))) {
        await renameDurably(path, join(this.directory, entry.slice(REPLACED.length)));
      } else if (entry.startsWith(TEMPORARY) || entry.startsWith(REPLACED)) {
        await rm(path, { recursive: true, force: true });
      }
    }
    this.prepared = true;
  }

  private async writeFiles(directory: string, state: CheckpointState): Promise<number> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    const files = [];
    for (const { name, pieces } of encodeState(state)) {
      files.push({ name, ...(await writeDurably(join(directory, name), pieces)) });
    }
    const { position, term, trainingHash, arithmeticVersion, identity, metrics } = state;
    const manifest = encodeManifest({
      format: 'fcaenet-checkpoint',
      formatVersion: FORMAT_VERSION,
      arithmeticVersion,
      trainingHash,
      term,
      position,
      created: new Date().toISOString(),
      identity,
      metrics,
      files,
    });
    const { bytes } = await writeDurably(join(directory, MANIFEST_FILE), [Buffer.from(manifest)]);
    await syncDirectory(directory);
    return files.reduce((sum, file) => sum + file.bytes, bytes);
  }

  /** Gives a complete directory its name; one that has it already counts until then and is removed after. */
  private async publish(temporary: string, name: string): Promise<void> {
    const final = join(this.directory, name);
    const replaced = join(this.directory, `${REPLACED}${name}`);
    const exists = (await readdir(this.directory)).includes(name);
    if (exists) await renameDurably(final, replaced);
    await renameDurably(temporary, final);
    if (exists) await rm(replaced, { recursive: true, force: true });
    this.passedOver.delete(name);
  }

  private async point(pointer: 'latest' | 'best', name: string): Promise<void> {
    const temporary = join(this.directory, `${TEMPORARY}${pointer}`);
    await rm(temporary, { force: true });
    await writeDurably(temporary, [Buffer.from(`${name}\n`)]);
    await renameDurably(temporary, join(this.directory, pointer));
  }

  private async pointer(pointer: 'latest' | 'best'): Promise<string | null> {
    const path = join(this.directory, pointer);
    return readFile(path, 'utf8').then(
      (text) => text.trim(),
      (error) => {
        if (isAbsence(error)) return null;
        throw unreadable(path, error);
      },
    );
  }

  /**
   * Removes all but the newest, the latest and the best. Those that loading passed over neither count nor go: they may
   * be newer by name than anything that can be loaded, and somebody may want to know what happened to them.
   */
  private async removeOld(latest: string): Promise<void> {
    const best = await this.pointer('best');
    const countable = (await this.candidates()).filter(({ name }) => !this.passedOver.has(name));
    for (const { name, path } of countable.slice(this.options.keep)) {
      if (name === latest || name === best) continue;
      // Renamed first: half a checkpoint must not keep the name of a whole one.
      const removed = join(this.directory, `${TEMPORARY}removed-${name}`);
      await renameDurably(path, removed);
      await rm(removed, { recursive: true, force: true });
    }
  }

  /** Checkpoints by name, newest first, with the place where each is. */
  private async candidates(): Promise<{ name: string; path: string }[]> {
    const entries = await readdir(this.directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw unreadable(this.directory, error);
    });
    const found = new Map<string, CheckpointName & { readonly path: string }>();
    // A name itself stands before the same name that is about to be replaced.
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

function unreadable(path: string, cause: NodeJS.ErrnoException): CheckpointError {
  return new CheckpointError('CHECKPOINT_READ', `${path} cannot be read: ${cause.message}.`, {
    exitCode: ExitCode.inputOutput,
    cause,
  });
}
