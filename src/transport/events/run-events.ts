import { existsSync, readFileSync } from 'node:fs';
import type { Log } from '../../console/log.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { eventsThatCount, parseRunEvent, type RunEvent } from './run-event.js';

/** Where a run's events go. */
export interface RunEvents {
  /** Takes an event at once and never throws: whoever reports goes on. */
  publish(event: RunEvent): void;
  /** Waits, for a bounded time, until everything published has arrived. */
  close(): Promise<void>;
  /** Events that arrived, and events given up. */
  readonly counts: { readonly published: number; readonly lost: number };
}

/** Events in the run directory, `events.jsonl`, a line each: where they always go. */
export class FileEvents implements RunEvents {
  readonly counts = { published: 0, lost: 0 };
  /** Whether the file may end in half a line: after a crash, or a disk that was full in the middle of one. */
  private mayBeTorn = true;

  constructor(
    private readonly directory: RunDirectory,
    private readonly log: Log,
  ) {}

  publish(event: RunEvent): void {
    try {
      if (this.mayBeTorn) this.directory.mendEvents();
      this.mayBeTorn = false;
      this.directory.appendEvent(event);
      this.counts.published++;
    } catch (error) {
      this.mayBeTorn = true;
      if (this.counts.lost++ === 0) this.log.warn('event not written', { reason: (error as Error).message });
    }
  }

  async close(): Promise<void> {}
}

/** The events of a run directory that count, in order; lines cut short by a crash are passed over. */
export function readEvents(directory: RunDirectory): RunEvent[] {
  if (!existsSync(directory.eventsFile)) return [];
  const lines = readFileSync(directory.eventsFile, 'utf8').split('\n');
  return eventsThatCount(lines.map(parseRunEvent).filter((event) => event !== null));
}
