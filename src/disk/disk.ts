import type { BigIntStats, Dirent, Stats, StatsFs } from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { DiskError } from './error.js';
import { makeFolder } from './folders.js';
import { notAFile } from './input-file.js';
import { type DiskWatch, diskWatch } from './watch.js';

type Wait = <Value>(operation: string, file: string, work: Promise<Value>) => Promise<Value>;

/**
 * The file operations of `node:fs/promises` that this project uses, watched by `DiskWatch`. They throw the same errors.
 */
export class Disk {
  private readonly wait: Wait;

  /**
   * @param patienceSeconds time limit of an operation, after which it fails with DiskError DISK_NO_ANSWER; null for
   * none
   * @param system carries out the operations; for tests
   */
  constructor(
    patienceSeconds: number | null = null,
    private readonly system: typeof promises = promises,
    watch: DiskWatch = diskWatch,
  ) {
    this.wait = (operation, file, work) => watch.until(operation, file, work, patienceSeconds);
  }

  /** @param flags as in `node:fs` */
  async open(path: string, flags: string): Promise<OpenFile> {
    const opening = this.system.open(path, flags);
    const handle = await this.wait('open', path, opening).catch((error) => {
      if (error instanceof DiskError) opening.then((late) => late.close()).catch(() => {});
      throw error;
    });
    return new OpenFile(handle, path, this.wait);
  }

  readFile(path: string): Promise<Buffer<ArrayBuffer>> {
    return this.wait('read', path, this.system.readFile(path) as Promise<Buffer<ArrayBuffer>>);
  }

  /**
   * The same for a file that a user names. The reader of a named pipe would wait for ever, and no signal would end it.
   * @throws InputFileFault for a path that is neither a file nor a folder
   */
  async readInput(path: string): Promise<Buffer<ArrayBuffer>> {
    const status = await this.stat(path);
    if (!status.isFile() && !status.isDirectory()) throw notAFile(path, status);
    return this.readFile(path);
  }

  /** The content of a UTF-8 file. */
  readText(path: string): Promise<string> {
    return this.wait('read', path, this.system.readFile(path, 'utf8'));
  }

  writeFile(path: string, content: string | Uint8Array): Promise<void> {
    return this.wait('write', path, this.system.writeFile(path, content));
  }

  stat(path: string): Promise<Stats> {
    return this.wait('stat', path, this.system.stat(path));
  }

  /** The same with times in nanoseconds, and whole numbers of any size. */
  stamp(path: string): Promise<BigIntStats> {
    return this.wait('stat', path, this.system.stat(path, { bigint: true }));
  }

  /** Resolves all symbolic links of a path. */
  realPath(path: string): Promise<string> {
    return this.wait('resolve', path, this.system.realpath(path));
  }

  statfs(path: string): Promise<StatsFs> {
    return this.wait('statfs', path, this.system.statfs(path));
  }

  readdir(path: string): Promise<string[]> {
    return this.wait('list', path, this.system.readdir(path));
  }

  /** The same, with each entry's kind. */
  entries(path: string): Promise<Dirent[]> {
    return this.wait('list', path, this.system.readdir(path, { withFileTypes: true }));
  }

  /**
   * Also creates parent folders; no error when it exists.
   * @returns the folders that it created, a parent before what is in it
   */
  makeFolder(path: string): Promise<readonly string[]> {
    return this.wait('make folder', path, makeFolder(path, this.system));
  }

  /** Removes a folder that has nothing in it. */
  removeEmptyFolder(path: string): Promise<void> {
    return this.wait('remove', path, this.system.rmdir(path));
  }

  /** Also removes a folder with its content; no error when it does not exist. */
  remove(path: string): Promise<void> {
    return this.wait('remove', path, this.system.rm(path, { recursive: true, force: true }));
  }

  rename(from: string, to: string): Promise<void> {
    return this.wait('rename', from, this.system.rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.wait('link', to, this.system.link(from, to));
  }

  /** Sets modification and access time to now. */
  touch(path: string): Promise<void> {
    const now = new Date();
    return this.wait('touch', path, this.system.utimes(path, now, now));
  }
}

/** An open file whose operations are watched too. */
export class OpenFile {
  /** Settles when an operation that was given up answers later. */
  private late: Promise<unknown> | null = null;

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    private readonly wait: Wait,
  ) {}

  /** Reads up to `length` bytes from `position` into `buffer` at `offset`. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    return this.until('read', this.handle.read(buffer, offset, length, position));
  }

  /** Writes all of `buffer` at `position`. */
  async write(buffer: Uint8Array, position: number): Promise<void> {
    // A nearly full disk takes a part without an error, and says why only when it is asked to take the rest.
    for (let at = 0; at < buffer.length; ) {
      const writing = this.handle.write(buffer, at, buffer.length - at, position + at);
      at += (await this.until('write', writing)).bytesWritten;
    }
  }

  /** Writes all of `content` after the earlier writes. */
  append(content: string | Uint8Array): Promise<void> {
    return this.until('write', this.handle.writeFile(content));
  }

  /** Waits until the written data is on the disk. */
  sync(): Promise<void> {
    return this.until('fsync', this.handle.sync());
  }

  stat(): Promise<Stats> {
    return this.until('stat', this.handle.stat());
  }

  truncate(bytes: number): Promise<void> {
    return this.until('truncate', this.handle.truncate(bytes));
  }

  async close(): Promise<void> {
    if (this.late === null) return this.until('close', this.handle.close());
    // An operation that was given up may still use the descriptor, so its number must stay reserved.
    const close = () => void this.handle.close().catch(() => {});
    this.late.then(close, close);
  }

  private until<Value>(operation: string, work: Promise<Value>): Promise<Value> {
    return this.wait(operation, this.path, work).catch((error) => {
      if (error instanceof DiskError) this.late = work;
      throw error;
    });
  }
}

/** Makes file operations with a time limit in seconds; null for none. */
export type DiskOf = (patienceSeconds: number | null) => Disk;

export const diskWithPatience: DiskOf = (patienceSeconds) => new Disk(patienceSeconds);

/** File operations without a time limit. */
export const disk = new Disk();
