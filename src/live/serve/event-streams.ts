import type { ServerResponse } from 'node:http';
import type { CachedJson } from './cached-json.js';
import { beginEvents } from './reply.js';

const updateMs = 1_000;
/** A page that hears nothing for several of these knows that the coordinator is gone. */
const beatMs = 3_000;
/** Who has not read a message for this long is not connected any more. */
const unreadMs = 30_000;
/** Time in which a browser opens a stream again that has ended. */
const retryMs = 2_000;
/** Streams at the same time. */
export const mostStreams = 16;

interface Stream {
  readonly response: ServerResponse;
  readonly document: CachedJson;
  etag: string;
  /** When the oldest message that is not read was sent. */
  unreadSinceMs: number | null;
  lastSentMs: number;
}

/**
 * Server-sent events: `run` with the whole JSON document when it has changed, at most once a second, and `beat` with the
 * server's time. A reader that is slow skips documents, so one message is kept for each reader at most.
 */
export class EventStreams {
  private readonly streams = new Set<Stream>();
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  get isFull(): boolean {
    return this.streams.size >= mostStreams;
  }

  /** Begins a stream. Check `isFull` before. */
  open(response: ServerResponse, document: CachedJson): void {
    beginEvents(response);
    response.write(`retry: ${retryMs}\n\n`);
    const stream: Stream = { response, document, etag: '', unreadSinceMs: null, lastSentMs: 0 };
    this.streams.add(stream);
    response.once('close', () => this.streams.delete(stream));
    void this.send(stream);
    this.timer ??= setInterval(() => this.tick(), updateMs).unref();
  }

  /** Sends every stream its last document and ends it. */
  async close(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    const all = [...this.streams];
    for (const { document } of all) document.expire();
    await Promise.all(
      all.map(async (stream) => {
        await this.send(stream);
        stream.response.end();
      }),
    );
  }

  private tick(): void {
    if (this.streams.size === 0 && this.timer) {
      clearInterval(this.timer);
      this.timer = null;
    }
    for (const stream of this.streams) void this.update(stream);
  }

  private async update(stream: Stream): Promise<void> {
    const { response } = stream;
    const now = this.nowMs();
    if (response.writableLength > 0) {
      stream.unreadSinceMs ??= now;
      if (now - stream.unreadSinceMs > unreadMs) response.destroy();
      return;
    }
    stream.unreadSinceMs = null;
    await this.send(stream);
  }

  /** Sends the document if the stream's reader does not have it, or a beat if it has heard nothing for a while. */
  private async send(stream: Stream): Promise<void> {
    const { response, document } = stream;
    const now = this.nowMs();
    // A document that cannot be read now may be readable at the next turn.
    const made = await document.get().catch(() => null);
    if (response.destroyed) return;
    if (made && made.etag !== stream.etag) {
      stream.etag = made.etag;
      stream.lastSentMs = now;
      response.write(Buffer.concat([Buffer.from('event: run\ndata: '), made.body, Buffer.from('\n\n')]));
    } else if (now - stream.lastSentMs >= beatMs) {
      stream.lastSentMs = now;
      response.write(`event: beat\ndata: ${Date.now()}\n\n`);
    }
  }
}
