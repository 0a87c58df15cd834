import type { BigIntStats, Dirent, Stats, StatsFs } from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { DiskError } from './error.js';
import { type DiskWatch, diskWatch } from './watch.js';

type Wait = <Value>(operation: string, file: string, work: Promise<Value>) => Promise<Value>;

/**
 * The file operations of `node:fs/promises` that this project uses, each watched while it is awaited: see `DiskWatch`.
 * They throw what those throw.
 */
export class Disk {
  private readonly wait: Wait;

  /**
   * @param patienceSeconds after which an operation is given up with DiskError DISK_NO_ANSWER; null never
   * @param system what carries them out; for tests
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

  /** A path with every link in it followed. */
  realPath(path: string): Promise<string> {
    return this.wait('resolve', path, this.system.realpath(path));
  }

  statfs(path: string): Promise<StatsFs> {
    return this.wait('statfs', path, this.system.statfs(path));
  }

  readdir(path: string): Promise<string[]> {
    return this.wait('list', path, this.system.readdir(path));
  }

  /** The same, with what kind each is. */
  entries(path: string): Promise<Dirent[]> {
    return this.wait('list', path, this.system.readdir(path, { withFileTypes: true }));
  }

  /** With the folders above it; no error where it is there. */
  async makeFolder(path: string): Promise<void> {
    await this.wait('make folder', path, this.system.mkdir(path, { recursive: true }));
  }

  /** Also a folder with all that is in it; no error where there is nothing. */
  remove(path: string): Promise<void> {
    return this.wait('remove', path, this.system.rm(path, { recursive: true, force: true }));
  }

  rename(from: string, to: string): Promise<void> {
    return this.wait('rename', from, this.system.rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.wait('link', to, this.system.link(from, to));
  }

  /** Sets the time of its last change, and of its last use, to now. */
  touch(path: string): Promise<void> {
    const now = new Date();
    return this.wait('touch', path, this.system.utimes(path, now, now));
  }
}

/** A file that is open, with its operations watched likewise. */
export class OpenFile {
  /** Settles when an operation that was given up answers after all. */
  private late: Promise<unknown> | null = null;

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    private readonly wait: Wait,
  ) {}

  /** Up to `length` bytes from `position`, into `buffer` at `offset`. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    return this.until('read', this.handle.read(buffer, offset, length, position));
  }

  /** All of `buffer`, at `position`. */
  write(buffer: Uint8Array, position: number): Promise<unknown> {
    return this.until('write', this.handle.write(buffer, 0, buffer.length, position));
  }

  /** All of it, after what was written before. */
  append(content: string | Uint8Array): Promise<void> {
    return this.until('write', this.handle.writeFile(content));
  }

  /** Waits until what was written is on the disk. */
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
    // What was given up may still use the descriptor, whose number must not be another file's by then.
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

/** What file operations go through that wait for so many seconds, null for as long as it takes. */
export type DiskOf = (patienceSeconds: number | null) => Disk;

export const diskWithPatience: DiskOf = (patienceSeconds) => new Disk(patienceSeconds);

/** File operations that may take as long as they take. */
export const disk = new Disk();
