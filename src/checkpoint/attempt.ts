import { join } from 'node:path';
import type { Disk } from '../disk/disk.js';
import { renameDurably, syncDirectory } from '../disk/whole-file.js';
import { replacedPrefix } from '../run/checkpoint-name.js';
import { writeDurably } from './durable.js';
import { currentFormatVersion, encodeManifest } from './manifest.js';
import { type CheckpointState, encodeState, manifestFile } from './state.js';

/** Unfinished or abandoned; whoever writes next removes it. */
const temporaryPrefix = '.tmp-';

/**
 * One attempt to write a checkpoint. It has its own temporary names, because a file operation of an abandoned attempt
 * may still run.
 */
export class WriteAttempt {
  /**
   * @param directory of the run's checkpoints
   * @param number counted from 1
   */
  constructor(
    readonly disk: Disk,
    private readonly directory: string,
    private readonly number: number,
  ) {}

  /** Creates the directory and removes the files of a killed process. */
  async prepare(): Promise<void> {
    await this.disk.makeFolder(this.directory);
    const names = new Set(await this.disk.readdir(this.directory));
    for (const entry of names) {
      const path = join(this.directory, entry);
      if (entry.startsWith(replacedPrefix) && !names.has(entry.slice(replacedPrefix.length))) {
        await renameDurably(this.disk, path, join(this.directory, entry.slice(replacedPrefix.length)));
      } else if (entry.startsWith(temporaryPrefix) || entry.startsWith(replacedPrefix)) {
        await this.disk.remove(path);
      }
    }
  }

  /** Writes a complete checkpoint under a temporary name. @returns its size in bytes */
  async writeFiles(name: string, state: CheckpointState): Promise<number> {
    const directory = this.temporary(name);
    await this.disk.remove(directory);
    await this.disk.makeFolder(directory);
    const files = [];
    for (const { name: file, pieces } of encodeState(state)) {
      files.push({ name: file, ...(await writeDurably(this.disk, join(directory, file), pieces)) });
    }
    const { position, term, trainingHash, arithmeticVersion, version, identity, metrics } = state;
    const manifest = encodeManifest({
      format: 'fcaenet-checkpoint',
      formatVersion: currentFormatVersion,
      arithmeticVersion,
      ...(version === null ? {} : { version }),
      trainingHash,
      term,
      position,
      created: new Date().toISOString(),
      identity,
      metrics,
      files,
    });
    const { bytes } = await writeDurably(this.disk, join(directory, manifestFile), [Buffer.from(manifest)]);
    await syncDirectory(this.disk, directory);
    return files.reduce((sum, file) => sum + file.bytes, bytes);
  }

  /** Renames the written checkpoint. An existing one of that name is valid until then and is removed afterwards. */
  async publish(name: string): Promise<void> {
    const final = join(this.directory, name);
    const replaced = join(this.directory, `${replacedPrefix}${name}`);
    const exists = (await this.disk.readdir(this.directory)).includes(name);
    if (exists) await renameDurably(this.disk, final, replaced);
    await renameDurably(this.disk, this.temporary(name), final);
    if (exists) await this.disk.remove(replaced);
  }

  async point(pointer: 'latest' | 'best', name: string): Promise<void> {
    const temporary = this.temporary(pointer);
    await this.disk.remove(temporary);
    await writeDurably(this.disk, temporary, [Buffer.from(`${name}\n`)]);
    await renameDurably(this.disk, temporary, join(this.directory, pointer));
  }

  /** Removes a checkpoint. */
  async discard(name: string, path: string): Promise<void> {
    // Rename first: a partly removed checkpoint must not keep the name of a complete one.
    const removed = this.temporary(`removed-${name}`);
    await renameDurably(this.disk, path, removed);
    await this.disk.remove(removed);
  }

  /** Removes the files of an unpublished checkpoint. */
  async clear(name: string): Promise<void> {
    await this.disk.remove(this.temporary(name)).catch(() => undefined);
  }

  private temporary(name: string): string {
    const suffix = this.number === 1 ? '' : `-${this.number}`;
    return join(this.directory, `${temporaryPrefix}${name}${suffix}`);
  }
}
