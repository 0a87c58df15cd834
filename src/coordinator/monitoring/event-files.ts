import { join } from 'node:path';
import type { Log } from '../../console/log.js';
import { diskWithPatience } from '../../disk/disk.js';
import { encodeEvent, type FileEvent, readEvents } from '../../formats/event-file.js';
import { undefinedIfAbsent } from '../../run/presence.js';

/** A disk that does not answer for this long counts as one that refuses. */
const disk = diskWithPatience(30);
/** Of events that wait for the disk. */
const mostWaitingBytes = 16 * 2 ** 20;
/** Ends the names of these files, and marks them as files that may be cut. */
const ending = '.fcaenet';
const namePattern = /^events\.out\.tfevents\.\d{10}\.fcaenet$/;

/**
 * The event files of a run for TensorBoard: one for each process that led the run. Writing never fails the run: what the
 * disk refuses is said once and lost.
 */
export class EventFiles {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private writing: Promise<void> | null = null;
  private hasFailed = false;

  private constructor(
    private readonly path: string,
    private readonly log: Log,
  ) {}

  /**
   * Begins the file of this process. Events of earlier processes that come again are removed from their files. Readers
   * that have later steps in memory are told by the new file's first events.
   * @param folder of this run alone
   * @param step optimiser steps that are done
   * @param isDone whether what an event says is part of the state that the run continues from
   */
  static async open(
    folder: string,
    term: number,
    step: number,
    isDone: (event: FileEvent) => boolean,
    log: Log,
  ): Promise<EventFiles> {
    const name = `events.out.tfevents.${String(term).padStart(10, '0')}${ending}`;
    const files = new EventFiles(join(folder, name), log);
    try {
      await disk.makeFolder(folder);
      for (const found of await disk.readdir(folder)) {
        if (namePattern.test(found)) await cutAfter(join(folder, found), isDone);
      }
    } catch (error) {
      files.fail(error);
    }
    const seconds = Date.now() / 1000;
    files.write({ seconds, step: 0, content: { kind: 'version' } });
    // Readers forget what they have of this step and later ones.
    files.write({ seconds, step: step + 1, content: { kind: 'start' } });
    return files;
  }

  write(event: FileEvent): void {
    if (this.hasFailed) return;
    const record = encodeEvent(event);
    if (this.waitingBytes + record.length > mostWaitingBytes) {
      this.fail(new Error('the disk does not answer'));
      return;
    }
    this.waiting.push(record);
    this.waitingBytes += record.length;
    this.writing ??= this.writeWaiting();
  }

  /** Waits until everything is written. */
  async close(): Promise<void> {
    await this.writing;
  }

  private async writeWaiting(): Promise<void> {
    try {
      const file = await disk.open(this.path, 'a');
      try {
        while (this.waiting.length > 0) {
          const records = Buffer.concat(this.waiting);
          this.waiting = [];
          this.waitingBytes = 0;
          await file.append(records);
        }
      } finally {
        await file.close();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.writing = null;
    }
    // An event may have come while the file was closed.
    if (this.waiting.length > 0 && !this.hasFailed) this.writing ??= this.writeWaiting();
  }

  private fail(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.waiting = [];
    this.log.warn('events for TensorBoard cannot be written; the run goes on without them', {
      file: this.path,
      reason: (error as NodeJS.ErrnoException).code ?? String((error as Error).message),
    });
  }
}

/** Removes the first event that is not done and all after it from a file, and the file if no scalars remain. */
async function cutAfter(path: string, isDone: (event: FileEvent) => boolean): Promise<void> {
  const bytes = await disk.readFile(path).catch(undefinedIfAbsent);
  if (bytes === undefined) return;
  const events = readEvents(bytes);
  const later = events.findIndex(({ event }) => !isDone(event));
  const kept = later < 0 ? events : events.slice(0, later);
  const end = kept.at(-1)?.end ?? 0;
  if (!kept.some(({ event }) => event.content.kind === 'scalars')) {
    await disk.remove(path);
    return;
  }
  if (end === bytes.length) return;
  const file = await disk.open(path, 'r+');
  try {
    await file.truncate(end);
  } finally {
    await file.close();
  }
}
