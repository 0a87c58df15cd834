import type { OutgoingPart } from '../exchange/output.js';

/** Parts that wait for their way to one peer. One is sent at a time, in order. */
export class PartQueue {
  private readonly waiting: OutgoingPart[] = [];
  private current: OutgoingPart | null = null;
  private closed = false;

  /**
   * @param sendPart resolves when the part's memory is not read any more
   * @param onSent called after each part
   */
  constructor(
    private readonly sendPart: (part: OutgoingPart) => Promise<void>,
    private readonly onSent: () => void,
  ) {}

  push(part: OutgoingPart): void {
    if (this.closed) return;
    this.waiting.push(part);
    if (this.current === null) void this.sendAll();
  }

  /** Forgets parts that lie in this memory and are not on their way yet: nobody needs them any more. */
  drop(buffer: ArrayBufferLike): void {
    const rest = this.waiting.filter(({ bytes }) => bytes.buffer !== buffer);
    this.waiting.splice(0, this.waiting.length, ...rest);
  }

  /** Whether a part in this memory is on its way. */
  isReading(buffer: ArrayBufferLike): boolean {
    return this.current?.bytes.buffer === buffer;
  }

  get isBusy(): boolean {
    return this.current !== null;
  }

  /** Forgets everything that is not on its way yet. @returns what it was, in order */
  close(): OutgoingPart[] {
    this.closed = true;
    return this.waiting.splice(0);
  }

  private async sendAll(): Promise<void> {
    for (let part = this.waiting.shift(); part; part = this.waiting.shift()) {
      this.current = part;
      await this.sendPart(part);
      this.current = null;
      this.onSent();
    }
  }
}
