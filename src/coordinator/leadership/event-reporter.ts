import type { RunPosition } from '../../checkpoint/manifest.js';
import type { Clock } from '../../clock.js';
import type { Log } from '../../console/log.js';
import { viewBounds } from '../../live/view.js';
import type { RunDirectory } from '../../run/run-directory.js';
import type { NatsSettings } from '../../run/training-run.js';
import { NatsEvents } from '../../transport/events/nats-events.js';
import type { NatsLink } from '../../transport/events/nats-link.js';
import type { RunEvent, RunEventBody } from '../../transport/events/run-event.js';
import { FileEvents, lastEvents, type RunEvents, readEvents } from '../../transport/events/run-events.js';
import type { Leadership } from './leadership.js';

export interface EventReporterOptions {
  readonly run: string;
  readonly directory: RunDirectory;
  readonly leadership: Leadership;
  readonly link: NatsLink | null;
  readonly nats: NatsSettings;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Adds run, term, sequence and time to events and publishes them: always to the run directory, and to NATS if a server
 * is configured.
 */
export class EventReporter {
  private readonly sinks: readonly RunEvents[];
  private sequence = 0;
  private readonly last: RunEvent[];

  constructor(private readonly options: EventReporterOptions) {
    const { directory, link, log, run, nats, leadership } = options;
    const { term } = leadership;
    const capacity = nats.bufferedEvents;
    // Read before the first event of this term is written.
    const earlier = link === null ? [] : readEvents(directory);
    this.last = lastEvents(directory, viewBounds.events);
    const file = new FileEvents(directory, log);
    this.sinks = link === null ? [file] : [file, new NatsEvents({ link, run, term, capacity, earlier })];
  }

  /** Number of events that were published to every destination, and of events that a destination lost. */
  get counts(): { published: number; lost: number } {
    return {
      published: Math.min(...this.sinks.map(({ counts }) => counts.published)),
      lost: this.sinks.reduce((sum, { counts }) => sum + counts.lost, 0),
    };
  }

  /** The last events of the run, also those of earlier terms, oldest first. */
  get recent(): readonly RunEvent[] {
    return this.last;
  }

  /** A coordinator that was replaced publishes nothing more. */
  publish(position: RunPosition, body: RunEventBody): void {
    const { run, leadership } = this.options;
    if (!leadership.isHeld()) return;
    this.sequence++;
    const { iteration, epoch, step, globalStep, phase } = position;
    const event: RunEvent = {
      run,
      term: leadership.term,
      sequence: this.sequence,
      time: this.options.clock.date().toISOString(),
      position: { iteration, epoch, step, globalStep, phase },
      ...body,
    };
    this.last.push(event);
    if (this.last.length > viewBounds.events) this.last.shift();
    for (const sink of this.sinks) sink.publish(event);
  }

  async close(): Promise<void> {
    await Promise.all(this.sinks.map((sink) => sink.close()));
  }
}
