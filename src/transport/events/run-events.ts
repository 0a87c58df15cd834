import type { Log } from '../../console/log.js';
import type { RunDirectory } from '../../run/run-directory.js';
import { eventsThatCount, parseRunEvent, type RunEvent } from './run-event.js';

/** Destination of a run's events. */
export interface RunEvents {
  /** Accepts an event immediately and never throws. */
  publish(event: RunEvent): void;
  /** Waits, up to a time limit, until every published event has been written. */
  close(): Promise<void>;
  /** Numbers of events that were written and that were dropped. */
  readonly counts: { readonly published: number; readonly lost: number };
}

/** Writes events to `events.jsonl` in the run directory, one line each. Always active. */
export class FileEvents implements RunEvents {
  readonly counts = { published: 0, lost: 0 };
  /** Whether the file may end with part of a line, after a crash or on a full disk. */
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

/**
 * The last valid events of a run directory, for those who watch the run: none when they cannot be read.
 * @param most so many lines at the end are looked at
 */
export function lastEvents(directory: RunDirectory, most: number): RunEvent[] {
  try {
    // The text after the last line's end is empty.
    const lines = directory.readEventLines().slice(-most - 1);
    return eventsThatCount(lines.map(parseRunEvent).filter((event) => event !== null));
  } catch {
    return [];
  }
}

/** The valid events of a run directory, in order. Lines cut short by a crash are skipped. */
export function readEvents(directory: RunDirectory): RunEvent[] {
  const lines = directory.readEventLines();
  return eventsThatCount(lines.map(parseRunEvent).filter((event) => event !== null));
}
