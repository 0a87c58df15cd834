import { type Clock, systemClock } from '../clock.js';

/** The part of a gRPC stream that an outbox needs. */
interface Writable<Message> {
  write(message: Message, taken: () => void): boolean;
  once(event: 'drain', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
}

/**
 * Sends messages on one stream in the order they were given, waiting for the stream to drain whenever its buffer
 * is full. After `close` everything still waiting is dropped silently: whoever owns the stream knows why it ended.
 */
export class Outbox<Message> {
  private tail: Promise<void> = Promise.resolve();
  private closed = false;
  private queued = 0;
  private fullSinceMs: number | null = null;
  private stopWaiting: (() => void) | null = null;
  /** Messages that wait in the stream as the objects they are, not yet encoded. */
  private waiting = 0;
  private allTaken: (() => void)[] = [];

  constructor(
    private readonly stream: Writable<Message>,
    private readonly clock: Pick<Clock, 'nowMs'> = systemClock,
  ) {}

  /** Resolves when the message was handed to the stream, or at once when the stream is closed. */
  send(message: Message): Promise<void> {
    return this.sendAll([message]);
  }

  /** Sends several messages with nothing between them; they are drawn one by one as the stream takes them. */
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
   * Milliseconds for which the peer has taken nothing although its stream is full; 0 while it takes what there is.
   * A peer that reads slowly starts anew with every message.
   */
  get stalledMs(): number {
    return this.fullSinceMs === null ? 0 : this.clock.nowMs() - this.fullSinceMs;
  }

  /** Resolves when the stream has encoded all it was handed, so that what they refer to may change, or when closed. */
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

  /** A stream whose peer fell silent may never drain nor close, so this also ends the wait for it. */
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
