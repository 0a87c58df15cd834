import type { JetStreamClient, JetStreamManager, NatsConnection } from 'nats';
import { isTooLarge } from './nats-error.js';
import type { NatsLink } from './nats-link.js';
import { natsTimeoutMs, runToken } from './nats-names.js';
import { compareEvents, parseRunEvent, type RunEvent } from './run-event.js';
import type { RunEvents } from './run-events.js';

const eventStream = 'FCAENET_EVENTS';
const eventSubjects = 'fcaenet.events.>';

/** How long `close` waits for a reachable server. */
const closeMs = 3_000;
const retryMs = 250;
/** Longest interval between two attempts at a server that rejects requests. */
const longestRetryMs = 60_000;

export interface NatsEventsOptions {
  readonly link: NatsLink;
  readonly run: string;
  readonly term: number;
  /** Number of events kept while the server is unreachable. */
  readonly capacity: number;
  /** Events published before this process started, oldest first. Those that the stream lacks are sent. */
  readonly earlier: readonly RunEvent[];
}

/**
 * Sends events to a JetStream stream, in order: an event is sent after the previous one is acknowledged. Events without
 * acknowledgement are kept, up to a limit. They are sent again after the stream was asked for its last event, so that
 * no acknowledged event is lost and no event is in the stream twice. When the server rejects a request, the interval
 * doubles before each new attempt; after a reconnection the next attempt is immediate. An event that exceeds the
 * server's size limit is skipped.
 */
export class NatsEvents implements RunEvents {
  readonly counts = { published: 0, lost: 0 };
  private pending: RunEvent[];
  private closing = false;
  private ended: Promise<void> | null = null;
  private wake = () => {};
  private hurry = () => {};

  constructor(private readonly options: NatsEventsOptions) {
    this.pending = options.earlier.slice(-options.capacity);
    this.ended = this.pump();
  }

  publish(event: RunEvent): void {
    this.pending.push(event);
    // The first event may be on its way. Dropping it would count it as lost although the stream may have it.
    while (this.pending.length > this.options.capacity) {
      this.pending.splice(Math.min(1, this.pending.length - 1), 1);
      this.counts.lost++;
    }
    this.wake();
  }

  async close(): Promise<void> {
    this.closing = true;
    this.wake();
    this.hurry();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeMs);
    });
    await Promise.race([this.ended, late]);
    clearTimeout(timer);
    this.counts.lost += this.pending.length;
    this.pending = [];
  }

  private async pump(): Promise<void> {
    const { link } = this.options;
    let stream: JetStreamClient | null = null;
    let waitMs = retryMs;
    while (!this.closing || this.pending.length > 0) {
      if (this.pending.length === 0) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        continue;
      }
      const connection = await link.get(retryMs);
      try {
        if (connection === null) {
          stream = null;
          waitMs = retryMs;
          // Do not wait for an unreachable server when the run is over.
          if (this.closing) return;
          continue;
        }
        stream ??= await this.open(connection);
        const event = this.pending[0];
        if (event === undefined) continue;
        await stream.publish(subjectOf(event), JSON.stringify(event), {
          msgID: `${event.run}/${event.term}/${event.sequence}`,
          timeout: natsTimeoutMs,
        });
        this.arrived(1);
        link.succeeded('events');
        waitMs = retryMs;
      } catch (error) {
        if (isTooLarge(error)) {
          link.failed('large events', error);
          this.pending.shift();
          this.counts.lost++;
          continue;
        }
        stream = null;
        link.failed('events', error);
        await this.pause(waitMs);
        waitMs = this.closing ? retryMs : Math.min(2 * waitMs, longestRetryMs);
      }
    }
  }

  /** Ends early when the connection changes or `close` is called. */
  private async pause(waitMs: number): Promise<void> {
    const closing = new Promise<void>((resolve) => {
      this.hurry = resolve;
    });
    await Promise.race([this.options.link.change(waitMs), closing]);
  }

  /** Creates the stream if it does not exist, and drops the pending events that it already has. */
  private async open(connection: NatsConnection): Promise<JetStreamClient> {
    const manager = await this.options.link.jetStreamManager(connection);
    const last = await lastEvent(manager, this.options.run);
    if (last !== null) {
      const index = this.pending.findIndex((event) => compareEvents(event, last) > 0);
      this.arrived(index < 0 ? this.pending.length : index);
    }
    return connection.jetstream({ timeout: natsTimeoutMs });
  }

  private arrived(count: number): void {
    const arrived = this.pending.splice(0, count);
    this.counts.published += arrived.filter(({ term }) => term === this.options.term).length;
  }
}

function subjectOf({ run, type }: RunEvent): string {
  return `fcaenet.events.${runToken(run)}.${type}`;
}

async function lastEvent(manager: JetStreamManager, run: string): Promise<RunEvent | null> {
  const filter = `fcaenet.events.${runToken(run)}.>`;
  try {
    const message = await manager.streams.getMessage(eventStream, { last_by_subj: filter });
    return parseRunEvent(message.string());
  } catch (error) {
    const { code, err_code } = (error as { api_error?: { code: number; err_code: number } }).api_error ?? {};
    if (code !== 404) throw error;
    if (err_code === streamNotFound) {
      await manager.streams.add({ name: eventStream, subjects: [eventSubjects] });
    }
    return null;
  }
}

/** The server's code for a stream that does not exist. */
const streamNotFound = 10_059;
