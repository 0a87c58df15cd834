import { type Clock, systemClock } from '../clock.js';

/** The part of a gRPC stream that an outbox needs. */
interface Writable<Message> {
  write(message: Message, taken: () => void): boolean;
  once(event: 'drain', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
}

/**
 * Sends messages on one stream in order. Waits for the stream to drain when its buffer is full. `close` silently drops
 * the messages that still wait: the owner of the stream knows why it ended.
 */
export class Outbox<Message> {
  private tail: Promise<void> = Promise.resolve();
  private closed = false;
  private queued = 0;
  private fullSinceMs: number | null = null;
  private stopWaiting: (() => void) | null = null;
  /** Number of messages written to the stream. */
  private written = 0;
  /** Number of those that the stream has encoded and given to the connection. */
  private left = 0;
  /** Callers that wait until so many have left, in ascending order. */
  private awaited: { readonly left: number; readonly resolve: () => void }[] = [];

  constructor(
    private readonly stream: Writable<Message>,
    private readonly clock: Pick<Clock, 'nowMs'> = systemClock,
  ) {}

  /** Resolves when the message was handed to the stream, or immediately when the stream is closed. */
  send(message: Message): Promise<void> {
    return this.sendAll([message]);
  }

  /**
   * Sends several messages without others between them. They are taken from the iterable one by one, as the stream
   * accepts them. Messages that never come, because their promise rejects, are left out.
   */
  sendAll(messages: Iterable<Message> | Promise<Iterable<Message>>): Promise<void> {
    this.queued++;
    this.tail = this.tail.then(async () => {
      for (const message of messages instanceof Promise ? await messages.catch(() => []) : messages) {
        if (this.closed) break;
        this.written++;
        if (!this.stream.write(message, this.taken)) await this.drained();
      }
      this.queued--;
    });
    return this.tail;
  }

  /** Whether everything was handed to the stream. */
  get isIdle(): boolean {
    return this.queued === 0;
  }

  /**
   * Milliseconds since the peer last accepted data while the stream is full; 0 while it accepts data. Each accepted
   * message sets it to 0 again.
   */
  get stalledMs(): number {
    return this.fullSinceMs === null ? 0 : this.clock.nowMs() - this.fullSinceMs;
  }

  /**
   * Resolves when the stream has encoded the messages that it was handed so far, so that their buffers may change, or
   * when it is closed.
   */
  flushed(): Promise<void> {
    if (this.closed || this.left === this.written) return Promise.resolve();
    return new Promise((resolve) => this.awaited.push({ left: this.written, resolve }));
  }

  /** Resolves when every message so far has left for the connection, those that wait included, or when it is closed. */
  hasLeft(): Promise<void> {
    return this.tail.then(() => this.flushed());
  }

  private readonly taken = (): void => {
    this.left++;
    while (this.awaited[0] && this.awaited[0].left <= this.left) this.awaited.shift()!.resolve();
  };

  /** Also ends every wait: the stream of a silent peer may never drain or close. */
  close(): void {
    this.closed = true;
    this.stopWaiting?.();
    for (const { resolve } of this.awaited.splice(0)) resolve();
  }

  private drained(): Promise<void> {
    this.fullSinceMs = this.clock.nowMs();
    return new Promise((resolve) => {
      const done = () => {
        this.fullSinceMs = null;
        this.stream.off('drain', done);
        this.stream.off('close', done);
        this.stopWaiting = null;
        resolve();
      };
      this.stopWaiting = done;
      this.stream.once('drain', done);
      this.stream.once('close', done);
    });
  }
}
