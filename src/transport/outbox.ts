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
  /** Number of messages that the stream holds as objects, not encoded yet. */
  private waiting = 0;
  private allTaken: (() => void)[] = [];

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
   * accepts them.
   */
  sendAll(messages: Iterable<Message>): Promise<void> {
    this.queued++;
    this.tail = this.tail.then(async () => {
      for (const message of messages) {
        if (this.closed) break;
        this.waiting++;
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

  /** Resolves when the stream has encoded all its messages, so that their buffers may change, or when it is closed. */
  flushed(): Promise<void> {
    if (this.closed || this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.allTaken.push(resolve));
  }

  private readonly taken = (): void => {
    if (--this.waiting === 0) this.release();
  };

  private release(): void {
    for (const resolve of this.allTaken.splice(0)) resolve();
  }

  /** Also ends every wait: the stream of a silent peer may never drain or close. */
  close(): void {
    this.closed = true;
    this.stopWaiting?.();
    this.release();
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
